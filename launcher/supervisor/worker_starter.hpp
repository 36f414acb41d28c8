// Starts the workers of a generation: the rendezvous port they are told, what each finds at its
// start, and the delay or refusal a fault asks for.
#pragma once

#include "launcher/core/group/action.hpp"
#include "launcher/faults/controller.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/worker_environment.hpp"
#include "launcher/workers/worker_set.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace ddp {

// Of the NOTIFY_SOCKET of each rank, whose local rank follows, in the run's private directory.
std::string notify_prefix(const std::string& private_dir);

class WorkerStarter {
 public:
  // References are borrowed. The log directory of the run, or where there is none its private
  // directory.
  struct Deps {
    boost::asio::io_context& io;
    WorkerSpec spec;
    out::Router& router;
    WorkerSet& workers;
    FaultController& faults;
    std::string run_dir;
    std::string private_dir;  // with the notification sockets
  };
  explicit WorkerStarter(Deps deps);
  ~WorkerStarter();

  // Whether the system gave what every start needs; errno says why not.
  bool usable() const;

  // Chooses the port: the one asked for, or one that is reserved until generation_ended().
  void generation_began();
  void generation_ended();
  std::uint16_t port() const;  // 0: there was none to be had

  // The pid, or why there is none.
  using Outcome = std::variant<int, core::SpawnError>;
  // One at a time; `answer` is called once, from here or, for a start that is delayed, from the
  // event loop.
  void start(const core::SpawnWorker& spawn, std::function<void(const Outcome&)> answer);
  // A start that is delayed fails instead.
  void cancel();

  // NOTIFY_SOCKET of a worker.
  std::string notify_path(core::LocalRank local_rank) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ddp
