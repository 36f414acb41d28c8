// The configuration file.
#include "launcher/cli/config_file.hpp"
#include "launcher/cli/flags.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = ddp::parse_config(ddp::fuzz::text_of(data, size), "run.toml");
  if (config) {
    for (const auto& spec : ddp::flag_table()) {
      if (const auto* setting = config->settings.get(ddp::first_name(spec)))
        ddp::fuzz::require(setting->what.rfind("run.toml:", 0) == 0,
                           "a setting says where it stands");
    }
  } else {
    ddp::fuzz::require_one_line(config.error(), "");
    ddp::fuzz::require(config.error().rfind("run.toml", 0) == 0, "an error begins with the file");
  }
  return 0;
}
