// Starts the workers of a generation: the rendezvous port they are told, what each finds at its
// start, and the delay or refusal a fault asks for.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/fault_session.hpp"
#include "launcher/options.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/port.hpp"
#include "launcher/output/router.hpp"
#include "launcher/worker_set.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace ddp {

class WorkerStarter {
 public:
  // All borrowed. The log directory of the run, or where there is none its private directory.
  struct Surroundings {
    boost::asio::io_context& io;
    const Options& options;
    out::Router& router;
    WorkerSet& workers;
    FaultSession& faults;
    std::string run_dir;
    std::string private_dir;  // with the notification sockets
  };
  explicit WorkerStarter(Surroundings surroundings);

  // Whether the system gave what every start needs; errno says why not.
  bool usable() const { return dev_null_.valid(); }

  // Chooses the port: the one asked for, or one that is reserved until generation_ended().
  void generation_began();
  void generation_ended() { reservation_.reset(); }
  std::uint16_t port() const { return port_; }  // 0: there was none to be had

  // The pid, or why there is none.
  using Outcome = std::variant<int, core::SpawnError>;
  // One at a time; `answer` is called once, from here or, for a start that is delayed, from the
  // event loop.
  void start(const core::SpawnWorker& spawn, std::function<void(const Outcome&)> answer);
  // A start that is delayed fails instead.
  void cancel() { delay_.cancel(); }

  // NOTIFY_SOCKET of a worker.
  std::string notify_path(core::LocalRank local_rank) const;

 private:
  Outcome start_now(const core::SpawnWorker& spawn, const SpawnChange& change);

  Surroundings s_;
  boost::asio::steady_timer delay_;
  os::ScopedFd dev_null_;
  std::optional<os::PortReservation> reservation_;
  std::uint16_t port_ = 0;
};

}  // namespace ddp
