#include "launcher/control/stack_dump.hpp"

#include "launcher/hangs/debugger_command.hpp"
#include "launcher/hangs/debugger_start.hpp"
#include "launcher/hangs/diagnostics.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/tasks.hpp"
#include "launcher/report/failure_message.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ddp::control {
namespace {

std::string read_all(int file) {
  std::string text(kStackBytes, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t more =
        ::pread(file, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) break;
    size += static_cast<std::size_t>(more);
  }
  text.resize(size);
  return text;
}

}  // namespace

class StackDump::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(os::Loop& loop, Workers& workers, const std::vector<core::LocalRank>& ranks, Done done)
      : loop_(loop), workers_(workers), deadline_(loop.make_timer()), done_(std::move(done)) {
    for (const auto rank : ranks) subjects_.push_back({.stack = {.local_rank = rank}});
  }

  void start() {
    deadline_->at(loop_.now() + kStackTime, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->cut_short("not finished within " + std::to_string(kStackTime.count()) + " s");
    });
    // Not from within the request: it is answered from the loop.
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->go_on();
    });
  }

  void cut_short(const std::string& why) {
    for (auto& subject : subjects_) {
      if (!subject.over) subject.stack.problem = why;
    }
    finish();
  }

  void stop() {
    done_ = nullptr;
    deadline_->cancel();
    if (std::exchange(running_, 0) > 0) workers_.kill_helpers();
  }

 private:
  struct Subject {
    RankStack stack;
    os::ScopedFd output;
    bool over = false;
  };

  void go_on() {
    const int most = std::clamp(os::count_cpus(), 1, kCommandsAtOnce);
    while (done_ && running_ < most && next_ < subjects_.size()) attach(next_++);
    if (running_ == 0 && next_ == subjects_.size()) finish();
  }

  void attach(std::size_t index) {
    Subject& subject = subjects_[index];
    subject.stack.pid = workers_.living_pid(subject.stack.local_rank);
    const auto fail = [&](std::string why) {
      subject.stack.problem = std::move(why);
      subject.over = true;
    };
    if (subject.stack.pid <= 0) return fail("it is not running");
    subject.output = os::ScopedFd(::memfd_create("stacks", MFD_CLOEXEC));
    if (!subject.output.valid()) return fail(std::strerror(errno));
    const auto commands = hang_commands("", {.pid = subject.stack.pid,
                                             .rank = subject.stack.local_rank,
                                             .dir = {},
                                             .python = os::is_python(subject.stack.pid)});
    const auto started = start_debugger(workers_, commands, subject.output.get(),
                                        [weak = weak_from_this(), index](core::ExitStatus status) {
                                          if (const auto self = weak.lock(); self && self->done_)
                                            self->ended(index, status);
                                        });
    if (started.started) {
      ++running_;
      return;
    }
    std::string why;
    for (const auto& [program, error] : started.refused)
      why += (why.empty() ? "" : "; ") + program + ": " + std::strerror(error);
    fail(why);
  }

  void ended(std::size_t index, const core::ExitStatus& status) {
    --running_;
    Subject& subject = subjects_[index];
    subject.over = true;
    if (!core::succeeded(status)) subject.stack.problem = "the debugger " + status_text(status);
    go_on();
  }

  void finish() {
    const auto done = std::exchange(done_, nullptr);
    std::vector<RankStack> stacks;
    for (auto& subject : subjects_) {
      if (subject.output.valid()) subject.stack.text = read_all(subject.output.get());
      stacks.push_back(std::move(subject.stack));
    }
    stop();
    if (done) done(std::move(stacks));
  }

  os::Loop& loop_;
  Workers& workers_;
  std::unique_ptr<os::Timer> deadline_;
  Done done_;
  std::vector<Subject> subjects_;
  std::size_t next_ = 0;
  int running_ = 0;
};

StackDump::StackDump(os::Loop& loop, Workers& workers, const std::vector<core::LocalRank>& ranks,
                     Done done)
    : impl_(std::make_shared<Impl>(loop, workers, ranks, std::move(done))) {
  impl_->start();
}
StackDump::~StackDump() { impl_->stop(); }
void StackDump::cut_short(const std::string& why) {
  const auto impl = impl_;  // whose answer may end this
  impl->cut_short(why);
}

}  // namespace ddp::control
