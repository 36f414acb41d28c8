// Asks NCCL's RAS of a launch for its status, over TCP from the event loop.
//
// The dialogue is that of NCCL's own client (src/ras/client.cc), a line each:
//   CLIENT PROTOCOL 2   SERVER PROTOCOL <n>
//   TIMEOUT <s>         OK: how long RAS waits for the processes that do not answer it
//   SET FORMAT json     OK, or an ERROR before NCCL 2.28.7, which answers in text
//   VERBOSE STATUS      the answer; RAS closes the connection after it
// Every process of the launch listens on the address, and the kernel chooses one. A stopped process
// accepts the connection and says nothing, so without a greeting another connection is tried soon.
// The earlier ones stay open, as a process on a starved machine greets late: the first to greet is
// asked.
#pragma once

#include "launcher/core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace ddp {

inline constexpr std::size_t kMostRasBytes = std::size_t{1} << 20;

struct RasReply {
  std::string answer;   // what arrived of it
  std::string problem;  // why it is not all of it; both empty: nothing listens there
};

class RasQuery {
 public:
  // `address` as NCCL_RAS_ADDR has it. Calls `done` once, from the loop and before `deadline`,
  // unless this is destroyed first.
  RasQuery(boost::asio::io_context& io, const std::string& address, core::TimePoint deadline,
           std::function<void(RasReply)> done);
  ~RasQuery();
  RasQuery(const RasQuery&) = delete;
  RasQuery& operator=(const RasQuery&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// Makes a query; a test puts its own in its place.
using AskRas = std::function<std::unique_ptr<RasQuery>(
    const std::string& address, core::TimePoint deadline, std::function<void(RasReply)> done)>;

// Numeric addresses to try in turn and their ports: "127.0.0.1:4711", "[::1]:4711", and localhost,
// which is NCCL's default. Empty for other names: ddp-launch resolves none while a group hangs.
std::vector<std::pair<std::string, std::uint16_t>> ras_endpoints(const std::string& address);

}  // namespace ddp
