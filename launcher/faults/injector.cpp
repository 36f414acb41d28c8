#include "launcher/faults/injector.hpp"

#include "launcher/workers/workers.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace ddp {
namespace {

using fault::Kind;

// An error of exec makes another exit code than one of fork: 127 and 126, or 71.
core::SpawnError spawn_error(const fault::Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  const int error = number != nullptr ? static_cast<int>(*number) : EAGAIN;
  const bool of_exec = error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR;
  return {of_exec ? core::SpawnStage::exec : core::SpawnStage::fork, error};
}

}  // namespace

FaultInjector::FaultInjector(const core::RankGroup& ranks, out::Router& router, Workers& workers)
    : ranks_(ranks),
      router_(router),
      workers_(workers),
      pids_(static_cast<std::size_t>(ranks.nproc)),
      keeper_(::getppid()) {}

void FaultInjector::exited(core::LocalRank rank) {
  effects_.forget(pid_of(rank));
  pid_of(rank) = 0;
  router_.hold(rank, false);  // what it wrote last is shown
}

bool FaultInjector::generation_over() {
  std::fill(pids_.begin(), pids_.end(), 0);
  return std::exchange(occupied_, os::ScopedFd()).valid();
}

std::string FaultInjector::inject(const core::Injection& injection, SpawnChange& change) {
  // Without a default, so that a new kind is not compiled before it has its effect here.
  switch (injection.kind) {
    case Kind::stop:
      workers_.signal(*injection.local_rank, SIGSTOP);
      return {};
    case Kind::slow:
      return {};  // its first throttle tick follows
    case Kind::block_output:
      return router_.hold(*injection.local_rank, true) ? "" : "its output goes to files directly";
    case Kind::hide_device:
      change.hide_devices = true;
      return {};
    case Kind::spawn_fail:
      change.refusal = spawn_error(injection.value);
      return {};
    case Kind::spawn_delay:
      change.delay += std::get<core::Nanoseconds>(injection.value);
      return {};
    case Kind::port_taken:
      return take_port();
    case Kind::kill_supervisor:
      return ::kill(::getpid(), SIGKILL) == 0 ? "" : std::strerror(errno);
    case Kind::kill_keeper:
      return kill_keeper();
    case Kind::kill:
    case Kind::signal:
    case Kind::memory:
    case Kind::file_size:
    case Kind::open_files:
    case Kind::cpu_time:
    case Kind::pin:
      return effects_.apply(injection.kind, injection.value, pid_of(*injection.local_rank));
    case Kind::exit:
    case Kind::throw_exception:
    case Kind::segfault:
    case Kind::abort:
    case Kind::delay:
    case Kind::skip_allreduce:
    case Kind::die_in_allreduce:
    case Kind::nan:
    case Kind::bitflip:
    case Kind::corrupt_checkpoint:
    case Kind::cut_checkpoint:
      return {};  // the worker injects it
  }
  return "unknown kind";
}

std::string FaultInjector::take_port() {
  if (ranks_.node_rank != 0) return "rank 0 listens on another machine";
  if (port_ == 0) return "no port was reserved";
  auto taken = os::occupy_port(port_);
  if (!taken) return taken.error();
  occupied_ = std::move(*taken);
  return {};
}

std::string FaultInjector::kill_keeper() {
  // Pid 1 of a container ignores what comes from inside it.
  if (keeper_ <= 1 || ::getppid() != keeper_) return "there is no keeper that can be killed";
  if (::kill(keeper_, SIGKILL) != 0) return std::strerror(errno);
  return {};
}

void FaultInjector::undo(const core::UndoFault& undo) {
  switch (undo.kind) {
    case Kind::stop:
      workers_.signal(undo.local_rank, SIGCONT);
      break;
    case Kind::slow:
      break;  // its last throttle tick let it run
    case Kind::block_output:
      router_.hold(undo.local_rank, false);
      break;
    default:
      effects_.undo(undo.kind, pid_of(undo.local_rank));
  }
}

void FaultInjector::throttle(const core::ThrottleTick& tick) {
  workers_.signal(tick.local_rank, tick.run ? SIGCONT : SIGSTOP);
}

}  // namespace ddp
