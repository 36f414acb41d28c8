// Words as a POSIX shell reads them.
#pragma once

#include <string>
#include <string_view>

namespace ddp {

// For a shell to run: always in single quotes, every byte kept.
std::string shell_quoted(std::string_view word);

// For a person to read or copy: bare where the shell allows it, otherwise in single quotes. Control
// characters become blanks, because the text goes to a terminal.
std::string shell_word(std::string_view word);

}  // namespace ddp
