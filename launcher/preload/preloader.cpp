#include "launcher/preload/preloader.hpp"

#include "common/env_names.hpp"
#include "common/join.hpp"
#include "common/utf8.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/exit_watcher.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/preload/fork_channel.hpp"
#include "launcher/preload/preload_program.hpp"
#include "launcher/preload/python_command.hpp"
#include "launcher/report/failure_message.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

namespace ddp {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr auto kImportLimit = std::chrono::seconds(120);
// One fork takes milliseconds; the loop is blocked meanwhile. Less than the keeper's patience.
constexpr auto kForkLimit = std::chrono::milliseconds(4000);
constexpr std::size_t kLongestLine = 1000;

// Receives the program and runs it: nothing on disk, and a short command line.
const std::string kBootstrap =
    std::string("import socket;s=socket.socket(fileno=0);p={'__name__':'ddp_launch_preload'};") +
    "exec(compile(s.recv(1<<20),'<ddp-launch preload>','exec'),p);" +
    "import sys;a=sys.argv[1:];p['main'](s,a[0].split(','),a[1],a[2])";

// The launcher's environment, without what is addressed to itself, and with one thread for each
// library that would start more when it is loaded.
std::vector<std::string> preload_environment(const char* const* parent) {
  constexpr std::string_view kLeftOut[] = {env::kNotifySocket,     env::kWatchdogUsec,
                                           env::kWatchdogPid,      env::kDdpFaults,
                                           env::kCampaignEvents,   env::kOmpNumThreads,
                                           "OPENBLAS_NUM_THREADS", "PYTORCH_NVML_BASED_CUDA_CHECK"};
  std::vector<std::string> environment{"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1",
                                       "PYTORCH_NVML_BASED_CUDA_CHECK=1"};
  bool unbuffered = true;
  for (; *parent != nullptr; ++parent) {
    const std::string_view entry = *parent;
    const auto name = entry.substr(0, entry.find('='));
    if (std::find(std::begin(kLeftOut), std::end(kLeftOut), name) != std::end(kLeftOut)) continue;
    if (name == env::kPythonUnbuffered) unbuffered = false;  // the user's own setting
    environment.emplace_back(entry);
  }
  // As workers have it: Python reads it once.
  if (unbuffered) environment.push_back(std::string(env::kPythonUnbuffered) + "=1");
  return environment;
}

std::string printable(std::string_view text) {
  return without_controls(as_utf8(std::string(text.substr(0, kLongestLine))));
}

}  // namespace

class Preloader::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, os::Loop& loop, std::vector<std::string> modules,
       std::vector<std::string> command, Callbacks callbacks)
      : io_(io),
        modules_(joined(modules)),
        command_(std::move(command)),
        callbacks_(std::move(callbacks)),
        control_(io),
        output_(io),
        deadline_(loop.make_timer()),
        loop_(loop) {}

  void start(const char* const* parent) {
    const auto python = parse_python_command(command_);
    int ends[2];
    int pipe[2];
    if (!python || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
      return system_refuses();
    const os::ScopedFd its_control(ends[1]);
    control_.assign(ends[0]);
    if (::pipe2(pipe, O_CLOEXEC) == -1) return system_refuses();
    const os::ScopedFd its_output(pipe[1]);
    output_.assign(pipe[0]);
    output_.non_blocking(true);
    if (::send(ends[0], kPreloadProgram.data(), kPreloadProgram.size(),
               MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(kPreloadProgram.size()))
      return system_refuses();

    os::SpawnRequest request;
    request.program = command_.front();
    request.arguments.assign(command_.begin() + 1,
                             command_.begin() + static_cast<std::ptrdiff_t>(python->options_end));
    for (const std::string& word :
         {std::string("-c"), kBootstrap, modules_,
          std::string(python->module ? "module" : "script"), command_[python->target]})
      request.arguments.push_back(word);
    request.environment = preload_environment(parent);
    request.stdin_fd = its_control.get();
    request.stdout_fd = request.stderr_fd = its_output.get();
    auto spawned = os::Spawner().spawn(request);
    if (const auto* error = std::get_if<core::SpawnError>(&spawned)) {
      return refuse(core::exit_code_of(*error),
                    "cannot start " + command_.front() + ": " + std::strerror(error->error_number));
    }
    auto& child = std::get<os::Child>(spawned);
    pid_ = child.pid;
    os::set_apart(pid_);
    watcher_.emplace(io_, child.pid, std::move(child.pidfd),
                     [this](core::ExitStatus status) { exited(status); });
    deadline_->at(loop_.now() + kImportLimit, [this] {
      if (settled()) return;
      refuse(core::kSystemRefused,
             "the imports did not end within " + std::to_string(kImportLimit.count()) + " s");
      kill();
    });
    await_answer();
    await_output();
  }

  bool settled() const { return ready_ || refused_; }

  std::optional<std::variant<os::Child, core::SpawnError>> fork(const os::SpawnRequest& request) {
    if (!ready_ || lost_) return std::nullopt;
    std::vector<std::string> command{request.program};
    command.insert(command.end(), request.arguments.begin(), request.arguments.end());
    const auto python = parse_python_command(command);
    if (!python) return std::nullopt;
    auto result =
        fork_through(control_.native_handle(), request, python->target, python->module, kForkLimit);
    if (auto* child = std::get_if<os::Child>(&result)) return std::move(*child);
    if (const auto* error = std::get_if<core::SpawnError>(&result)) return *error;
    // What is left of the start runs no program: its channel is closed.
    kill();
    lose(std::get<ForkLost>(result).why);
    return std::nullopt;
  }

  void stop() {
    stopped_ = true;
    deadline_->cancel();
    kill();
  }

  void abandon() {
    callbacks_ = {};
    stop();
    watcher_.reset();
    boost::system::error_code ignored;
    control_.close(ignored);
    output_.close(ignored);
  }

  int pid() const { return watcher_ && !watcher_->reaped() ? pid_ : 0; }
  const std::optional<Refused>& refused() const { return refused_; }

 private:
  void system_refuses() {
    refuse(core::kSystemRefused, std::string("the system refused: ") + std::strerror(errno));
  }

  void refuse(int exit_code, std::string why) {
    if (settled() || stopped_) return;
    deadline_->cancel();
    refused_ = Refused{exit_code, std::move(why)};
  }

  // Only while it is unreaped does the group's number belong to it.
  void kill() {
    if (pid() > 1) os::signal_group(pid_, SIGKILL);
  }

  // Once. The ranks that it started are not concerned.
  void lose(std::string why) {
    if (std::exchange(lost_, true) || stopped_) return;
    if (callbacks_.lost) callbacks_.lost({pid_, std::move(why)});
  }

  void exited(core::ExitStatus status) {
    os::set_apart(0);
    // What it has written before it ended explains the end.
    if (!settled()) read_answer();
    read_output();
    flush_output();
    if (!settled()) {
      const auto* code = std::get_if<core::Exited>(&status);
      refuse(code != nullptr && code->code != 0 ? core::kUsage : core::kSystemRefused,
             command_.front() + " " + status_text(status) + " before it was ready");
    } else if (ready_) {
      lose("it " + status_text(status));
    }
    if (callbacks_.child_changed) callbacks_.child_changed();
  }

  void await_answer() {
    control_.async_wait(stream_descriptor::wait_read,
                        [self = shared_from_this()](boost::system::error_code ec) {
                          if (!ec) self->read_answer();
                        });
  }

  // The only one: later answers come over the channel of a fork.
  void read_answer() {
    if (settled() || !control_.is_open()) return;
    std::array<char, 2048> buffer{};
    const ssize_t size =
        ::recv(control_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size <= 0) return;  // its exit explains that
    const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
    if (text.starts_with("ready ")) {
      ready_ = true;
      deadline_->cancel();
    } else if (text.starts_with("refused ")) {
      refuse(core::kUsage, printable(text.substr(8)));
    } else {
      refuse(core::kUsage, command_.front() + " does not run the preload program");
      kill();
    }
  }

  void await_output() {
    output_.async_wait(stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code ec) {
                         if (!ec && self->read_output()) self->await_output();
                       });
  }

  // False at the end of the pipe.
  bool read_output() {
    std::array<char, 4096> buffer{};
    while (output_.is_open()) {
      const ssize_t size = ::read(output_.native_handle(), buffer.data(), buffer.size());
      if (size == -1 && errno == EINTR) continue;
      if (size == -1 && errno == EAGAIN) return true;
      if (size <= 0) return false;
      for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(size))) {
        if (c == '\n') {
          flush_output();
        } else if (line_.size() < kLongestLine) {
          line_ += c;
        }
      }
    }
    return false;
  }

  void flush_output() {
    const std::string line = std::exchange(line_, {});
    if (!line.empty() && callbacks_.output) callbacks_.output(printable(line));
  }

  boost::asio::io_context& io_;
  std::string modules_;
  std::vector<std::string> command_;
  Callbacks callbacks_;
  stream_descriptor control_;
  stream_descriptor output_;
  std::unique_ptr<os::Timer> deadline_;
  os::Loop& loop_;
  std::optional<os::ExitWatcher> watcher_;
  std::string line_;
  std::optional<Refused> refused_;
  int pid_ = 0;
  bool ready_ = false;
  bool lost_ = false;
  bool stopped_ = false;
};

Preloader::Preloader(boost::asio::io_context& io, os::Loop& loop, std::vector<std::string> modules,
                     std::vector<std::string> command, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(io, loop, std::move(modules), std::move(command),
                                   std::move(callbacks))) {}

Preloader::~Preloader() { impl_->abandon(); }

void Preloader::start(const char* const* parent) { impl_->start(parent); }
bool Preloader::settled() const { return impl_->settled(); }
const std::optional<Preloader::Refused>& Preloader::refused() const { return impl_->refused(); }
void Preloader::stop() { impl_->stop(); }
int Preloader::pid() const { return impl_->pid(); }

std::optional<std::variant<os::Child, core::SpawnError>> Preloader::fork(
    const os::SpawnRequest& request) {
  return impl_->fork(request);
}

}  // namespace ddp
