// Text of a worker as plain characters, for messages in which nothing may act on the terminal.
#pragma once

#include <string>
#include <string_view>

namespace ddp {

// The line without colours and other escape sequences. Bytes that are no UTF-8 become U+FFFD,
// control characters blanks.
std::string plain_text(std::string_view line);

}  // namespace ddp
