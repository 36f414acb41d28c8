#include "launcher/os/exit_watcher.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/wait.h>

#include <cerrno>
#include <utility>

namespace ddp::os {
namespace {

constexpr auto kAskAgain = std::chrono::milliseconds(25);

core::ExitStatus decode(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return core::Exited{info.si_status};
  return core::Signaled{info.si_status, info.si_code == CLD_DUMPED};
}

}  // namespace

class ExitWatcher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, int pid, ScopedFd pidfd, Handler handler)
      : pid_(pid), descriptor_(io, pidfd.release()), timer_(io), handler_(std::move(handler)) {}

  void watch() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code ec) {
                             if (!ec) self->collect();
                           });
  }

  void cancel() {
    handler_ = nullptr;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    timer_.cancel();
  }

  int pid() const { return pid_; }
  bool reaped() const { return reaped_; }

 private:
  void collect() {
    if (reaped_ || !descriptor_.is_open()) return;
    siginfo_t info{};
    const auto id = static_cast<id_t>(descriptor_.native_handle());
    int result = -1;
    do {
      result = ::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG);
    } while (result == -1 && errno == EINTR);
    if (result == 0 && info.si_pid == 0) {  // traced, or still exiting
      timer_.expires_after(kAskAgain);
      timer_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
        if (!ec) self->collect();
      });
      return;
    }
    reaped_ = true;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    // ECHILD cannot occur while this is the only reaper. If it does, only the exit itself is known.
    const core::ExitStatus status =
        result == 0 ? decode(info) : core::ExitStatus(core::Exited{255});
    if (auto handler = std::exchange(handler_, nullptr)) handler(status);
  }

  int pid_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  Handler handler_;
  bool reaped_ = false;
};

ExitWatcher::ExitWatcher(boost::asio::io_context& io, int pid, ScopedFd pidfd, Handler handler)
    : impl_(std::make_shared<Impl>(io, pid, std::move(pidfd), std::move(handler))) {
  impl_->watch();
}

ExitWatcher::~ExitWatcher() { impl_->cancel(); }

int ExitWatcher::pid() const { return impl_->pid(); }
bool ExitWatcher::reaped() const { return impl_->reaped(); }

}  // namespace ddp::os
