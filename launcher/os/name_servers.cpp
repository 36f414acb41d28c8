#include "launcher/os/name_servers.hpp"

#include "launcher/os/fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace ddp::os {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostServers = 3;
constexpr in_port_t kPort = 53;

// A standard query for the addresses (A) of `name`, with recursion; empty where `name` is not
// valid.
std::string query_for(std::string_view name) {
  unsigned char id[2] = {0x44, 0x44};
  if (::getrandom(id, sizeof id, GRND_NONBLOCK) < 0) id[0] = 0x45;  // it needs no secrecy
  std::string query(reinterpret_cast<const char*>(id), sizeof id);
  query += std::string("\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10);  // RD, one question
  if (name.ends_with('.')) name.remove_suffix(1);
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > 63) return {};
    query += static_cast<char>(label.size());
    query += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return query + std::string("\x00\x00\x01\x00\x01", 5);  // the root, type A, class IN
}

// Whether an answer settles if the name exists, rather than reporting that the server failed.
// nullopt where it answers another query.
std::optional<bool> settles(std::string_view answer, std::string_view query) {
  constexpr std::size_t kHeader = 12;
  if (answer.size() < kHeader || answer.substr(0, 2) != query.substr(0, 2)) return std::nullopt;
  if ((static_cast<unsigned char>(answer[2]) & 0x80) == 0) return std::nullopt;
  const int code = static_cast<unsigned char>(answer[3]) & 0x0f;
  return code == 0 || code == 3;  // NOERROR, NXDOMAIN
}

}  // namespace

std::vector<NameServer> name_servers(const std::string& resolv_conf) {
  std::vector<NameServer> servers;
  std::ifstream file(resolv_conf);
  const auto add = [&](const std::string& text) {
    NameServer server;
    auto& v4 = reinterpret_cast<sockaddr_in&>(server.address);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(server.address);
    if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(kPort);
      server.size = sizeof v4;
    } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(kPort);
      server.size = sizeof v6;
    } else {
      return;
    }
    servers.push_back(server);
  };
  for (std::string line; servers.size() < kMostServers && std::getline(file, line);) {
    std::istringstream words(line);
    std::string keyword;
    std::string address;
    if (words >> keyword >> address && keyword == "nameserver") add(address);
  }
  if (servers.empty()) add("127.0.0.1");
  return servers;
}

bool any_answers(const std::vector<NameServer>& servers, const std::string& name,
                 std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  const std::string query = query_for(name);
  if (query.empty()) return false;
  std::vector<ScopedFd> sockets;
  for (const NameServer& server : servers) {
    const auto* const address = reinterpret_cast<const sockaddr*>(&server.address);
    ScopedFd fd(::socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd.valid() && ::connect(fd.get(), address, server.size) == 0 &&
        ::send(fd.get(), query.data(), query.size(), MSG_NOSIGNAL) >= 0)
      sockets.push_back(std::move(fd));
  }
  std::vector<pollfd> polls;
  while (!sockets.empty()) {
    polls.clear();
    for (const ScopedFd& fd : sockets) polls.push_back({fd.get(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    const int ready = ::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
    if (ready == 0 || (ready < 0 && errno != EINTR)) return false;
    for (std::size_t i = 0; ready > 0 && i < polls.size(); ++i) {
      if (polls[i].revents == 0) continue;
      char answer[1500];
      const ssize_t size = ::recv(polls[i].fd, answer, sizeof answer, 0);
      if (size < 0) {
        // ECONNREFUSED: no server on that port.
        if (errno != EAGAIN && errno != EINTR) sockets[i].reset();
        continue;
      }
      const auto settled = settles({answer, static_cast<std::size_t>(size)}, query);
      if (settled && *settled) return true;
      if (settled) sockets[i].reset();
    }
    std::erase_if(sockets, [](const ScopedFd& fd) { return !fd.valid(); });
  }
  return false;
}

}  // namespace ddp::os
