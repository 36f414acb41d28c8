// Room: launcher/control. The control socket of a running launch: its protocol, its clients, and
// what their requests do.
// Includes: common, launcher/core, launcher/core/group, launcher/core/progress, launcher/faults,
// launcher/hangs, launcher/os, launcher/output, launcher/report, launcher/workers. Included by:
// launcher/ddpctl, launcher/supervisor.
//
// What is said over the control socket: one JSON object a line, each way. Pure, and shared by both
// ends.
//
//   > {"command":"kill","ranks":[2]}
//   < {"ok":true}
//   > {"command":"kill","ranks":[9]}
//   < {"ok":false,"error":"rank 9: expected a rank from 0 to 3"}
// The answer to `logs` and `stacks` goes on after its first line: one object for each line of
// output, or for each rank, and {"end":true} last. With "follow", lines come as they are written,
// and
// {"lost":n} stands for those that the client was too slow for.
#pragma once

#include "common/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::control {

// The name of the socket in the private directory of a launch.
inline constexpr const char* kSocketName = "control";
// Of a request, with its newline.
inline constexpr std::size_t kLongestRequest = std::size_t{64} * 1024;

// Of the last lines of one rank.
inline constexpr int kMostLines = 64;

enum class Command { info, status, logs, stop, restart, kill, signal, stacks, inject };

struct Request {
  Command command = Command::info;
  std::vector<int> ranks;  // global; empty: all
  int signal = 0;          // of `signal`
  std::string fault;       // of `inject`, as docs/faults.md has it
  int lines = kMostLines;  // of `logs`, for each rank
  bool follow = false;     // `logs` goes on
  friend bool operator==(const Request&, const Request&) = default;
};

std::string_view name_of(Command command);

// A line without its newline. The error says what is wrong and what is allowed.
Result<Request> parse_request(std::string_view line);
// The inverse, with its newline.
std::string request_line(const Request& request);

// {"ok":true} and {"ok":false,"error":…}, with a newline.
std::string accepted();
std::string refused(std::string_view why);

}  // namespace ddp::control
