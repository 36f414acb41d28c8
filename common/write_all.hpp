// Writing a text whole to a descriptor.
#pragma once

#include <string_view>

namespace ddp {

// Writes all of `text` to a blocking descriptor, however many calls of write(2) that takes. A text
// that the kernel takes in one call stays whole next to another writer's where the file has
// O_APPEND. False with errno set where a call fails: what was written before it stays written.
bool write_all(int fd, std::string_view text);

}  // namespace ddp
