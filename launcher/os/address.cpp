#include "launcher/os/address.hpp"

#include "launcher/os/fd.hpp"
#include "launcher/os/proc.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace ddp::os {
namespace {

// Returns the family, or AF_UNSPEC where the text is no numeric address.
int read_address(const std::string& text, std::uint16_t port, sockaddr_storage& into) {
  into = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(into);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(into);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return AF_INET;
  }
  const auto percent = text.find('%');
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6.sin6_addr) != 1) return AF_UNSPEC;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (percent != std::string::npos) {
    const std::string zone = text.substr(percent + 1);
    v6.sin6_scope_id = ::if_nametoindex(zone.c_str());
    if (v6.sin6_scope_id == 0)
      std::from_chars(zone.data(), zone.data() + zone.size(), v6.sin6_scope_id);
  }
  return AF_INET6;
}

// Binds a socket with SO_REUSEADDR. Returns 0, or the errno of the failure.
int try_bind(const std::string& address, std::uint16_t port) {
  sockaddr_storage where{};
  const int family = read_address(address, port, where);
  const ScopedFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  const int off = 0;
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return errno;
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const auto size =
      static_cast<socklen_t>(family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0 ? 0 : errno;
}

// Collects the inodes of the sockets whose local port is `port` from lines such as
// "  0: 0100007F:1F90 00000000:0000 0A …".
void collect(const char* path, std::uint16_t port, std::set<std::string>& listening,
             std::set<std::string>& others) {
  constexpr std::string_view kListening = "0A";
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::array<std::string, 10> field;
    for (auto& one : field) fields >> one;
    const auto colon = field[1].rfind(':');
    if (colon == std::string::npos) continue;
    unsigned number = 0;
    std::from_chars(field[1].data() + colon + 1, field[1].data() + field[1].size(), number, 16);
    if (number != port || field[9].empty() || field[9] == "0") continue;
    (field[3] == kListening ? listening : others).insert("socket:[" + field[9] + "]");
  }
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

bool is_own_address(const std::string& address) { return try_bind(address, 0) != EADDRNOTAVAIL; }

bool port_is_in_use(const std::string& address, std::uint16_t port) {
  if (!address.empty()) return try_bind(address, port) == EADDRINUSE;
  // Both families at once; the second alone where there is no IPv6.
  return try_bind("::", port) == EADDRINUSE || try_bind("0.0.0.0", port) == EADDRINUSE;
}

std::vector<PortUser> users_of_port(std::uint16_t port) {
  std::set<std::string> listening;
  std::set<std::string> others;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"})
    collect(path, port, listening, others);
  const auto& wanted = listening.empty() ? others : listening;
  std::vector<PortUser> users;
  if (wanted.empty()) return users;
  namespace fs = std::filesystem;
  std::error_code failed;
  for (fs::directory_iterator it("/proc", failed), end; !failed && it != end;
       it.increment(failed)) {
    const std::string name = it->path().filename().string();
    int pid = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || stop != name.data() + name.size()) continue;
    std::error_code unseen;  // another user's, or gone
    for (fs::directory_iterator fd(it->path() / "fd", unseen), none; !unseen && fd != none;
         fd.increment(unseen)) {
      std::error_code gone;
      if (wanted.count(fs::read_symlink(fd->path(), gone).string()) == 0) continue;
      const auto info = read_process(pid);
      users.push_back({pid, info ? info->command : "?"});
      break;
    }
  }
  std::sort(users.begin(), users.end(),
            [](const PortUser& a, const PortUser& b) { return a.pid < b.pid; });
  return users;
}

}  // namespace ddp::os
