// --devices: which devices, given what is visible already.
#pragma once

#include "launcher/settings/settings.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp {

// "2,5", "0-3", "GPU-8a1b…", "MIG-…", mixed. `visible` is the list the environment already allows
// (CUDA_VISIBLE_DEVICES and the like, named by `variable`): an index then counts that list, as it
// does for every program started here, and is replaced by what stands there. Without it indices are
// the system's own. An index or UUID that is named twice, is not visible or is malformed is
// refused.
Result<std::vector<std::string>> parse_device_list(
    const Setting& setting, const std::optional<std::vector<std::string>>& visible,
    std::string_view variable);

// A *_VISIBLE_DEVICES value as CUDA reads it: entries up to the first that is no device ("-1", an
// empty one, "none").
std::vector<std::string> read_visible_devices(std::string_view value);

}  // namespace ddp
