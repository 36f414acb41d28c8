// Users by name.
#pragma once

#include <string>

namespace ddp::os {

// The name of a user in /etc/passwd, else the number: a static program has no other service of
// names. Controls in it are blanks.
std::string user_name(unsigned uid);

}  // namespace ddp::os
