// Whether a console wants colour.
#pragma once

namespace ddp::out {

// Whether `fd` is a terminal and NO_COLOR is not set (https://no-color.org).
bool wants_colour(int fd);

}  // namespace ddp::out
