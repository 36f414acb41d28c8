#include "launcher/supervisor/worker_starter.hpp"

#include "launcher/base/log.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/port.hpp"

#include <fmt/core.h>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace ddp {
namespace {

void error(const std::string& text) { log::write(log::Level::error, text); }

}  // namespace

std::string notify_prefix(const std::string& private_dir) { return private_dir + "/notify."; }

class WorkerStarter::Impl {
 public:
  explicit Impl(Deps deps)
      : s_(std::move(deps)), delay_(s_.io), dev_null_(::open("/dev/null", O_RDWR | O_CLOEXEC)) {}

  bool usable() const { return dev_null_.valid(); }
  std::uint16_t port() const { return port_; }

  void generation_began() {
    reservation_.reset();
    port_ = s_.spec.rendezvous.master_port.value_or(0);
    if (port_ != 0) return;
    errno = 0;
    auto reserved = os::PortReservation::any();
    no_port_ = errno != 0 ? errno : EADDRNOTAVAIL;
    if (!reserved) return error(reserved.error());
    port_ = reserved->port();
    reservation_ = std::move(*reserved);
  }

  void generation_ended() { reservation_.reset(); }

  void start(const core::SpawnWorker& spawn, std::function<void(const Outcome&)> answer) {
    const auto change = s_.faults.spawn_due(spawn.local_rank);
    if (change.delay <= core::Nanoseconds::zero()) return answer(start_now(spawn, change));
    delay_.expires_after(change.delay);
    delay_.async_wait(
        [this, spawn, change, answer = std::move(answer)](boost::system::error_code ec) {
          // Cancelled: the group has to go before it was started.
          if (ec) return answer(core::SpawnError{core::SpawnStage::setup, ECANCELED});
          answer(start_now(spawn, change));
        });
  }

  void cancel() { delay_.cancel(); }

  std::string notify_path(core::LocalRank local_rank) const {
    return notify_prefix(s_.private_dir) + std::to_string(local_rank);
  }

 private:
  Outcome start_now(const core::SpawnWorker& spawn, const SpawnChange& change) {
    if (change.refusal) return *change.refusal;
    if (port_ == 0) return core::SpawnError{core::SpawnStage::setup, no_port_};
    errno = 0;
    auto streams = s_.router.open(spawn.generation, spawn.local_rank);
    if (!streams) {
      error(streams.error());
      return core::SpawnError{core::SpawnStage::setup, errno != 0 ? errno : EMFILE};
    }
    const std::string rank_dir =
        s_.run_dir + fmt::format("/attempt_{}/{}", spawn.generation, spawn.local_rank);
    os::SpawnRequest request;
    request.program = s_.spec.options.command.front();
    request.arguments.assign(s_.spec.options.command.begin() + 1, s_.spec.options.command.end());
    request.environment = worker_environment(s_.spec,
                                             {.local_rank = spawn.local_rank,
                                              .generation = spawn.generation,
                                              .master_port = port_,
                                              .run_dir = s_.run_dir,
                                              .notify_socket = notify_path(spawn.local_rank),
                                              .error_file = rank_dir + "/error.json",
                                              .faults = change.worker_faults,
                                              .hide_devices = change.hide_devices},
                                             environ);
    request.traceable = s_.spec.traceable;
    request.stdin_fd =
        s_.spec.options.stdin_rank == spawn.local_rank ? STDIN_FILENO : dev_null_.get();
    request.stdout_fd = streams->out.get();
    request.stderr_fd = streams->err.get();
    return s_.workers.spawn(spawn.local_rank, std::move(request));
  }

  Deps s_;
  boost::asio::steady_timer delay_;  // of a worker whose start a fault delays
  os::ScopedFd dev_null_;
  std::optional<os::PortReservation> reservation_;
  std::uint16_t port_ = 0;
  int no_port_ = 0;  // why not
};

WorkerStarter::WorkerStarter(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
WorkerStarter::~WorkerStarter() = default;

bool WorkerStarter::usable() const { return impl_->usable(); }
void WorkerStarter::generation_began() { impl_->generation_began(); }
void WorkerStarter::generation_ended() { impl_->generation_ended(); }
std::uint16_t WorkerStarter::port() const { return impl_->port(); }
void WorkerStarter::start(const core::SpawnWorker& spawn,
                          std::function<void(const Outcome&)> answer) {
  impl_->start(spawn, std::move(answer));
}
void WorkerStarter::cancel() { impl_->cancel(); }
std::string WorkerStarter::notify_path(core::LocalRank local_rank) const {
  return impl_->notify_path(local_rank);
}

}  // namespace ddp
