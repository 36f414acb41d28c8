// Whether a host name resolves on this machine. A child process does the lookup: the launcher is
// linked statically, and a static getaddrinfo lacks the modules that nsswitch.conf asks for.
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
    not_found,    // the name does not exist
    no_answer,    // not in time, or no name server answers: the name may exist
    not_checked,  // this machine has no getent, or a stop request came first
  };
  Answer answer = Answer::not_checked;
  std::vector<std::string> addresses;  // if found: numeric, each once
  std::string why;                     // if there is no answer
};

struct LookupConfig {
  std::string getent = "getent";  // a path, or a name that is looked up in PATH
  std::optional<std::vector<NameServer>> name_servers;  // nullopt: those of this machine
  std::chrono::milliseconds limit{3000};
};

// Runs `getent ahosts NAME` and kills it when the limit has passed. getent exits with 2 both where
// the name does not exist and where the name servers do not answer; a second query distinguishes
// the two (launcher/os/name_servers.hpp). A pending SIGINT, SIGTERM, SIGHUP or SIGQUIT, blocked as
// take_over_signals() leaves them, ends the wait and stays pending.
Lookup look_up(const std::string& name, const LookupConfig& config = {});

}  // namespace ddp::os
