#include "launcher/os/signal_inbox.hpp"

#include "launcher/os/mechanism.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace ddp::os {

class SignalInbox::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, ScopedFd from_keeper, ScopedFd signal_fd, Handlers handlers)
      : keeper_(io, from_keeper.release()),
        direct_(io, signal_fd.release()),
        handlers_(std::move(handlers)) {}

  void start() {
    if (!is_off(Mechanism::hearing)) wait_keeper();
    wait_direct();
  }

  void stop() {
    handlers_ = {};
    boost::system::error_code ignored;
    keeper_.close(ignored);
    direct_.close(ignored);
  }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  using Counts = std::array<int, NSIG>;

  void wait_keeper() {
    keeper_.async_wait(Descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code ec) {
                         if (!ec) self->read_keeper();
                       });
  }

  void wait_direct() {
    direct_.async_wait(Descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code ec) {
                         if (!ec) self->read_direct();
                       });
  }

  void read_keeper() {
    std::array<unsigned char, 256> bytes;
    const ssize_t count = ::read(keeper_.native_handle(), bytes.data(), bytes.size());
    if (count == 0) {  // the keeper is dead: no stop request could arrive any more, so stop now
      boost::system::error_code ignored;
      keeper_.close(ignored);
      if (handlers_.alone) handlers_.alone();
      if (handlers_.stop) handlers_.stop(SIGTERM);
      return;
    }
    for (ssize_t i = 0; i < count; ++i) {
      const int signal = bytes[static_cast<std::size_t>(i)];
      if (signal == SIGTSTP) {
        if (handlers_.suspend) handlers_.suspend();
      } else {
        count_signal(from_keeper_, signal);
      }
    }
    if (keeper_.is_open()) wait_keeper();
  }

  void read_direct() {
    std::array<signalfd_siginfo, 16> infos;
    const ssize_t size = ::read(direct_.native_handle(), infos.data(), sizeof infos);
    const auto count = size > 0 ? static_cast<std::size_t>(size) / sizeof infos[0] : 0;
    for (std::size_t i = 0; i < count; ++i) {
      const int signal = static_cast<int>(infos[i].ssi_signo);
      if (signal == SIGCHLD) {
        if (handlers_.child) handlers_.child();
      } else if (signal != SIGTSTP && signal != SIGCONT) {  // those two come from the keeper alone
        count_signal(direct_counts_, signal);
      }
    }
    if (direct_.is_open()) wait_direct();
  }

  // Counts a signal from one source, and delivers it unless the other source has counted it as
  // often.
  void count_signal(Counts& counts, int signal) {
    if (signal <= 0 || signal >= NSIG) return;
    const auto at = static_cast<std::size_t>(signal);
    ++counts[at];
    while (delivered_[at] < std::max(from_keeper_[at], direct_counts_[at])) {
      ++delivered_[at];
      const bool forwarded = signal == SIGUSR1 || signal == SIGUSR2;
      const auto& handler = forwarded ? handlers_.forward : handlers_.stop;
      if (handler) handler(signal);
    }
  }

  Descriptor keeper_;
  Descriptor direct_;
  Handlers handlers_;
  Counts from_keeper_{};
  Counts direct_counts_{};
  Counts delivered_{};
};

SignalInbox::SignalInbox(boost::asio::io_context& io, ScopedFd from_keeper, ScopedFd signal_fd,
                         Handlers handlers)
    : impl_(std::make_shared<Impl>(io, std::move(from_keeper), std::move(signal_fd),
                                   std::move(handlers))) {
  impl_->start();
}

SignalInbox::~SignalInbox() { impl_->stop(); }

}  // namespace ddp::os
