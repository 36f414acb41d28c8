// Whether a name server of this machine answers.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <vector>

namespace ddp::os {

struct NameServer {
  sockaddr_storage address{};
  socklen_t size = 0;
};

// The first three "nameserver" lines, as the C library reads them; 127.0.0.1 where there is none.
std::vector<NameServer> name_servers(const std::string& resolv_conf = "/etc/resolv.conf");

// Asks all servers at once for `name` (DNS over UDP, RFC 1035) and waits for the first that answers
// whether the name exists. False when all of them failed (SERVFAIL, REFUSED, a closed port), or
// when `limit` has passed.
bool any_answers(const std::vector<NameServer>& servers, const std::string& name,
                 std::chrono::milliseconds limit);

}  // namespace ddp::os
