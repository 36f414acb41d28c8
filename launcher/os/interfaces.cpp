#include "launcher/os/interfaces.hpp"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

namespace ddp::os {

std::vector<Interface> interfaces() {
  std::vector<Interface> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const Interface& interface) {
      return interface.name == one->ifa_name;
    });
    if (!known) found.push_back({one->ifa_name, (one->ifa_flags & IFF_UP) != 0});
  }
  return found;
}

bool has_rdma(const std::string& root) {
  std::error_code none;
  return std::filesystem::directory_iterator(root + "/sys/class/infiniband", none) !=
         std::filesystem::directory_iterator();
}

}  // namespace ddp::os
