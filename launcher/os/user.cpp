#include "launcher/os/user.hpp"

#include "common/utf8.hpp"

#include <fstream>

namespace ddp::os {

std::string user_name(unsigned uid) {
  // name:password:uid:…
  const std::string number = std::to_string(uid);
  std::ifstream file("/etc/passwd");
  for (std::string line; std::getline(file, line);) {
    const auto name = line.find(':');
    const auto password = name == std::string::npos ? name : line.find(':', name + 1);
    if (password == std::string::npos || name == 0) continue;
    if (line.compare(password + 1, number.size() + 1, number + ":") == 0)
      return without_controls(as_utf8(line.substr(0, name)));
  }
  return number;
}

}  // namespace ddp::os
