// A word as it would be typed at a shell.
#pragma once

#include <string>
#include <string_view>

namespace ddp {

// As it is where no shell minds, otherwise in single quotes; control characters become blanks.
std::string shell_word(std::string_view word);

}  // namespace ddp
