#include "launcher/hangs/diagnostics.hpp"

#include "launcher/base/log.hpp"
#include "launcher/core/hangs/task_picture.hpp"
#include "launcher/hangs/debugger_command.hpp"
#include "launcher/hangs/debugger_start.hpp"
#include "launcher/hangs/ras_answer.hpp"
#include "launcher/hangs/ras_ranks.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/tasks.hpp"
#include "launcher/report/failure_message.hpp"
#include "launcher/report/hang_message.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <utility>

namespace ddp {
namespace {

constexpr std::size_t kMostStacks = 16;  // a rank
// Before the group's own deadline, so that what was found is not lost to it.
constexpr std::chrono::milliseconds kMargin{250};

constexpr const char* kAsked = "asked";

// One byte, if a process reads there: a pipe without a reader, or what is no pipe, is left alone.
std::string poke(const std::string& path) {
  const os::ScopedFd pipe(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!pipe.valid()) return std::strerror(errno);
  struct stat info {};
  if (::fstat(pipe.get(), &info) != 0 || !S_ISFIFO(info.st_mode)) return "no pipe";
  return ::write(pipe.get(), "1", 1) == 1 ? kAsked : std::strerror(errno);
}

std::string pipe_of(const std::string& stem, const HangSubject& subject) {
  return stem + std::to_string(subject.rank) + ".pipe";
}

bool has_pipe(const std::string& stem, const HangSubject& subject) {
  return ::access(pipe_of(stem, subject).c_str(), F_OK) == 0;
}

}  // namespace

class HangEvidence::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(os::Loop& loop, Workers& workers, HangEvidencePlan plan, Handlers handlers)
      : loop_(loop),
        workers_(workers),
        timer_(loop.make_timer()),
        deadline_timer_(loop.make_timer()),
        plan_(std::move(plan)),
        handlers_(std::move(handlers)),
        before_(plan_.subjects.size()),
        after_(plan_.subjects.size()) {}

  void start() {
    at(*deadline_timer_, plan_.deadline - kMargin, [this] { out_of_time(); });
    look(before_, 0, [this] { at(*timer_, loop_.now() + kLookAgain, [this] { look_again(); }); });
  }

  void stop() {
    stopped_ = true;
    timer_->cancel();
    deadline_timer_->cancel();
    ras_.reset();
    if (running_ > 0) workers_.kill_helpers();
  }

 private:
  template <class Next>
  void at(os::Timer& timer, core::TimePoint when, Next next) {
    timer.at(when, [self = shared_from_this(), next] {
      if (!self->stopped_) next();
    });
  }

  // Samples the subjects from `index` on, a turn of the loop each, then calls `next`.
  void look(std::vector<core::ProcessSample>& into, std::size_t index, std::function<void()> next) {
    loop_.post([self = shared_from_this(), &into, index, next = std::move(next)] {
      if (self->stopped_) return;
      if (index == self->plan_.subjects.size()) {
        next();
        return;
      }
      const int pid = self->plan_.subjects[index].pid;
      if (pid > 0) into[index] = os::sample_tasks(pid);
      self->look(into, index + 1, next);
    });
  }

  void look_again() {
    look(after_, 0, [this] {
      const auto& subjects = plan_.subjects;
      std::vector<core::ProcessPicture> pictures;
      for (std::size_t i = 0; i < subjects.size(); ++i) {
        // Of one that was never started, or had exited before, there is none.
        pictures.push_back(subjects[i].pid > 0 ? core::picture_of(before_[i], after_[i])
                                               : core::ProcessPicture{});
      }
      suspect_ = handlers_.seen(pictures);
      for (std::size_t i = 0; i < subjects.size(); ++i) {
        if (subjects[i].pid > 0) keep_look(i, pictures[i]);
      }
      ask();
    });
  }

  // Those that can report by themselves.
  void ask() {
    ask_ras();
    bool asked = false;
    for (const auto& subject : plan_.subjects) {
      if (subject.pid == 0) continue;
      for (const auto& stem : plan_.flight_recorders) asked |= ask_flight_recorder(subject, stem);
      if (!plan_.own_flight_recorder.empty() && has_pipe(plan_.own_flight_recorder, subject))
        asked |= ask_flight_recorder(subject, plan_.own_flight_recorder);
      if (plan_.signal) {
        workers_.signal_process(subject.local_rank, *plan_.signal);
        handlers_.kept(subject, "signal", "", "sent");
        asked = true;
      }
    }
    for (std::size_t i = 0; i < plan_.subjects.size(); ++i) {
      if (plan_.subjects[i].pid > 0) waiting_.push_back(i);
    }
    std::stable_sort(waiting_.begin(), waiting_.end(), [this](std::size_t a, std::size_t b) {
      return urgency(plan_.subjects[a]) < urgency(plan_.subjects[b]);
    });
    if (!asked) return run_commands();
    at(*timer_, loop_.now() + kAnswerTime, [this] { run_commands(); });
  }

  bool ask_flight_recorder(const HangSubject& subject, const std::string& stem) {
    const std::string pipe = pipe_of(stem, subject);
    const std::string outcome = poke(pipe);
    handlers_.kept(subject, "flight_recorder", pipe, outcome);
    return outcome == kAsked;
  }

  void ask_ras() {
    if (!plan_.ask_ras || plan_.ras_address.empty()) return;
    ras_ = plan_.ask_ras(plan_.ras_address, plan_.deadline - 2 * kMargin,
                         [self = shared_from_this()](RasReply reply) {
                           if (!self->stopped_) self->ras_answered(std::move(reply));
                         });
  }

  void ras_answered(RasReply reply) {
    ras_over_ = true;
    if (!reply.answer.empty() || !reply.problem.empty()) handlers_.ras(keep_ras(reply));
    if (commands_over_) finish();
  }

  core::RasAnswered keep_ras(const RasReply& reply) {
    core::RasAnswered answered;
    answered.outcome = reply.problem;
    if (reply.answer.empty()) return answered;
    answered.file =
        keep_file(plan_.ras_dir, is_ras_json(reply.answer) ? "ras.json" : "ras.txt", reply.answer);
    auto communicators = parse_ras_answer(reply.answer);
    if (!communicators) {
      if (answered.outcome.empty()) answered.outcome = communicators.error();
      return answered;
    }
    if (answered.outcome.empty()) answered.outcome = "answered";
    answered.communicators = std::move(*communicators);
    LaunchRanks launch{
        .world_size = plan_.world_size, .one_machine = plan_.one_machine, .pids = {}};
    for (const auto& subject : plan_.subjects) {
      if (subject.pid > 0) launch.pids.emplace(subject.pid, subject.rank);
    }
    for (auto& communicator : answered.communicators) name_ras_ranks(communicator, launch);
    return answered;
  }

  int urgency(const HangSubject& subject) const {
    return suspect_ == subject.local_rank ? 0 : subject.behind ? 1 : 2;
  }

  void run_commands() {
    while (running_ < std::clamp(plan_.cpus, 1, kCommandsAtOnce) && !waiting_.empty()) {
      const auto& subject = plan_.subjects[waiting_.front()];
      waiting_.pop_front();
      run_command(subject);
    }
    if (running_ > 0) return;
    commands_over_ = true;
    if (!ras_ || ras_over_) finish();
  }

  void run_command(const HangSubject& subject) {
    const auto commands = hang_commands(plan_.command, {.pid = subject.pid,
                                                        .rank = subject.rank,
                                                        .dir = subject.dir,
                                                        .python = os::is_python(subject.pid)});
    if (commands.empty()) return;
    const std::string path = subject.dir + "/on-hang.log";
    const os::ScopedFd log(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!log.valid()) return cannot(path);
    const auto start =
        start_debugger(workers_, commands, log.get(),
                       [self = shared_from_this(), &subject, path](core::ExitStatus status) {
                         --self->running_;
                         if (self->stopped_) return;
                         self->handlers_.kept(subject, "on_hang", path, status_text(status));
                         self->run_commands();
                       });
    for (const auto& [program, error] : start.refused)
      handlers_.kept(subject, "on_hang", "", program + ": " + std::strerror(error));
    if (start.started) {
      ++running_;
      return;
    }
    ::unlink(path.c_str());  // nothing was there to write to it
  }

  void out_of_time() {
    waiting_.clear();
    if (running_ == 0) return finish();
    // Each reports its exit, which comes at once.
    workers_.kill_helpers();
    at(*deadline_timer_, plan_.deadline, [this] { finish(); });
  }

  void finish() {
    timer_->cancel();
    deadline_timer_->cancel();
    ras_.reset();
    if (!std::exchange(finished_, true)) handlers_.done();
  }

  void keep_look(std::size_t index, const core::ProcessPicture& picture) {
    const auto& subject = plan_.subjects[index];
    std::string text =
        tasks_text(subject.rank, subject.pid, picture, before_[index], after_[index]);
    std::size_t stacks = 0;
    for (const auto& thread : after_[index].threads) {
      if (stacks == kMostStacks) break;
      const std::string stack = os::kernel_stack(subject.pid, thread.tid);
      if (stack.empty()) continue;
      ++stacks;
      text += "\nkernel stack of thread " + std::to_string(thread.tid) + " (" + thread.name +
              ")\n" + stack;
    }
    const std::string path = keep_file(subject.dir, "proc.txt", text);
    if (!path.empty()) handlers_.kept(subject, "proc", path, "written");
  }

  // The path; empty: it could not be written.
  std::string keep_file(const std::string& dir, const std::string& name, const std::string& text) {
    std::error_code failed;
    std::filesystem::create_directories(dir, failed);
    std::string path = dir + "/" + name;
    errno = 0;
    std::ofstream file(path);
    file << text;
    file.close();
    if (file) return path;
    cannot(path);
    return {};
  }

  void cannot(const std::string& path) {
    const std::string why = std::strerror(errno);
    if (!std::exchange(reported_, true))
      log::write(log::Level::warn, path + ": " + why + "; the hang's evidence is incomplete");
  }

  os::Loop& loop_;
  Workers& workers_;
  std::unique_ptr<os::Timer> timer_;
  std::unique_ptr<os::Timer> deadline_timer_;
  HangEvidencePlan plan_;
  Handlers handlers_;
  std::vector<core::ProcessSample> before_;
  std::vector<core::ProcessSample> after_;
  std::optional<core::LocalRank> suspect_;
  std::deque<std::size_t> waiting_;  // subjects whose command has not begun
  int running_ = 0;                  // commands
  bool commands_over_ = false;
  std::unique_ptr<RasQuery> ras_;
  bool ras_over_ = false;
  bool stopped_ = false;
  bool finished_ = false;
  bool reported_ = false;
};

HangEvidence::HangEvidence(os::Loop& loop, Workers& workers, HangEvidencePlan plan,
                           Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, workers, std::move(plan), std::move(handlers))) {
  impl_->start();
}
HangEvidence::~HangEvidence() { impl_->stop(); }

}  // namespace ddp
