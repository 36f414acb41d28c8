// Whether a host name resolves here, found out by a child: the launcher is linked statically, where
// getaddrinfo lacks what the machine's nsswitch.conf asks for.
#pragma once

#include "launcher/os/name_servers.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ddp::os {

struct Lookup {
  enum class Answer {
    found,
    not_found,    // there is no such name
    no_answer,    // not in time, or no name server answers: nothing is known
    not_checked,  // there is no getent here, or a stop request came first
  };
  Answer answer = Answer::not_checked;
  std::vector<std::string> addresses;  // where found: numeric, each once
  std::string why;                     // where there is no answer
};

struct LookupConfig {
  std::string getent = "getent";  // a path, or a name that is looked up in PATH
  std::optional<std::vector<NameServer>> name_servers;  // none: those of this machine
  std::chrono::milliseconds limit{3000};
};

// `getent ahosts NAME`, killed when the limit is over. getent exits with 2 both where there is no
// such name and where the name servers do not answer; asking them once more tells the two apart
// (launcher/os/name_servers.hpp). A pending SIGINT, SIGTERM, SIGHUP or SIGQUIT, blocked as
// take_over_signals() leaves them, ends the wait and stays pending.
Lookup look_up(const std::string& name, const LookupConfig& config = {});

}  // namespace ddp::os
