#include "launcher/report/failure_message.hpp"

#include "common/duration_text.hpp"
#include "common/overloaded.hpp"
#include "common/signal_name.hpp"
#include "launcher/base/edit_distance.hpp"
#include "launcher/base/nearest_file.hpp"
#include "launcher/report/exception_message.hpp"
#include "launcher/report/exit_message.hpp"
#include "launcher/report/hang_message.hpp"

#include <fmt/core.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <utility>

namespace ddp {
namespace {

// What ENOENT means: a program that PATH does not have, a typo, or a file whose interpreter does
// not exist.
std::string missing_program_hint(const std::string& program) {
  const bool exists = ::access(program.c_str(), F_OK) == 0;
  if (program.find('/') == std::string::npos)
    return " in PATH" + (exists ? " (to run the file in this directory, write ./" + program + ")"
                                : did_you_mean(nearest_file("./" + program)));
  if (exists) return " (the file exists; check the interpreter in its first line)";
  return did_you_mean(nearest_file(program));
}

std::string spawn_error_text(const core::SpawnError& error, const std::string& program) {
  const std::string why = std::strerror(error.error_number);
  switch (error.stage) {
    case core::SpawnStage::fork:
      return "could not be started: cannot create a process: " + why;
    case core::SpawnStage::setup:
      return "could not be started: cannot set up its process: " + why;
    case core::SpawnStage::exec:
      break;
  }
  if (struct stat info{};
      error.error_number == EACCES && ::stat(program.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
    return "could not be started: " + program + ": it is a directory";
  std::string text = "could not be started: " + program + ": " + why;
  if (error.error_number == ENOENT) text += missing_program_hint(program);
  if (error.error_number == ENOEXEC) text += " (a script needs a first line such as #!/bin/sh)";
  return text;
}

// The request that sent the signal by which the rank died; null: none did.
const core::RequestedSignal* request_behind(const core::WorkerFailed& failed,
                                            const core::Verdict& verdict) {
  const auto& requested = verdict.workers[static_cast<std::size_t>(failed.local_rank)].requested;
  const auto* died = std::get_if<core::Signaled>(&failed.status);
  return requested && died != nullptr && died->signal == requested->signal ? &*requested : nullptr;
}

// Where and when it happened, and what else is known.
std::string circumstances(const core::Cause& cause, const core::Verdict& verdict,
                          const VerdictContext& context) {
  // "(pid 12, step 40), 1.2 s after its start, at 12:00:00"
  const auto where = [&](int local_rank) {
    const auto& worker = verdict.workers[static_cast<std::size_t>(local_rank)];
    std::string text = fmt::format(" (pid {}", worker.pid);
    if (worker.last_step) text += fmt::format(", step {}", *worker.last_step);
    text += ")";
    if (worker.started && worker.ended)
      text += " " + duration_text(*worker.ended - *worker.started) + " after its start";
    return text + ", at " + context.local_time;
  };
  return std::visit(
      Overloaded{
          [&](const core::WorkerFailed& failed) {
            std::string text = where(failed.local_rank);
            if (failed.oom_killed) {
              text += "; killed by the kernel's OOM killer: out of memory";
            } else if (const auto* request = request_behind(failed, verdict)) {
              text += "; " + signal_name(request->signal) + " was sent by " +
                      requester_text(request->by);
            } else if (context.injected.empty() &&
                       failed.status == core::ExitStatus(core::Signaled{SIGKILL, false})) {
              text += "; not killed by ddp-launch, and no OOM kill was seen";
            }
            return text;
          },
          [&](const core::WorkerNotStarted&) { return std::string(); },
          [&](const core::StoppedBySignal&) { return ", at " + context.local_time; },
          [&](const core::ExitedEarly& early) { return where(early.local_rank); },
          [&](const core::MachinesDisagree&) { return ", at " + context.local_time; },
          [&](const core::RestartedByRequest&) { return ", at " + context.local_time; },
          [&](const core::Hung&) { return "; detected at " + context.local_time; },
      },
      cause);
}

// The ranks of `verdict` that `chosen` selects, grouped by how they ended.
template <class Chosen>
std::string ends_text(const core::Verdict& verdict, core::GlobalRank first_rank, Chosen chosen) {
  std::map<std::string, std::vector<core::LocalRank>> groups;
  for (const auto& worker : verdict.workers) {
    if (!worker.status || !chosen(worker)) continue;
    std::string how;
    if (const auto* exited = std::get_if<core::Exited>(&*worker.status)) {
      how = fmt::format("exit code {}", exited->code);
    } else {
      how = signal_name(std::get<core::Signaled>(*worker.status).signal);
    }
    groups[how].push_back(worker.local_rank);
  }
  std::string text;
  for (const auto& [how, ranks] : groups) {
    if (!text.empty()) text += ", ";
    text += ranks_text(ranks, first_rank) + " (" + how + ")";
  }
  return text;
}

std::string line(const std::string& text) { return "ddp-launch: " + text + "\n"; }

std::string name_of(const core::Survivor& survivor, core::GlobalRank first_rank) {
  if (survivor.local_rank < 0) return fmt::format("pid {} ({})", survivor.pid, survivor.command);
  return fmt::format("rank {} (pid {})", to_string(global_rank(first_rank, survivor.local_rank)),
                     survivor.pid);
}

std::string state_of(const core::Survivor& survivor) {
  if (survivor.state == 'Z') return "state Z, exited but held by the debugger that traces it";
  return std::string("state ") + survivor.state +
         (survivor.wait_channel.empty() ? "" : ", waiting in " + survivor.wait_channel);
}

std::string tail_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& one : lines) text += "  | " + one + "\n";
  return text;
}

}  // namespace

std::string cause_text(const core::Cause& cause, core::GlobalRank first_rank,
                       const std::string& program) {
  const auto rank_of = [&](int local_rank) {
    return fmt::format("rank {}", to_string(global_rank(first_rank, local_rank)));
  };
  return std::visit(
      Overloaded{
          [&](const core::WorkerFailed& failed) {
            return rank_of(failed.local_rank) + " " + status_text(failed.status);
          },
          [&](const core::WorkerNotStarted& failed) {
            return rank_of(failed.local_rank) + " " + spawn_error_text(failed.error, program);
          },
          [&](const core::StoppedBySignal& stopped) {
            return "stopped by " + signal_name(stopped.signal);
          },
          [&](const core::ExitedEarly& early) {
            std::string text =
                rank_of(early.local_rank) + " exited with code 0 while other ranks were running";
            if (early.allowed > core::Nanoseconds::zero())
              text += ", and they did not exit within " + duration_text(early.allowed);
            return text;
          },
          [&](const core::Hung& hung) { return hang_text(hung.hang, hung.local_rank, first_rank); },
          [&](const core::MachinesDisagree& machines) {
            return "the machines were started differently: " + machines.what;
          },
          [&](const core::RestartedByRequest& restart) {
            return "restart requested by " + requester_text(restart.by);
          },
      },
      cause);
}

std::string ranks_text(const std::vector<core::LocalRank>& local_ranks,
                       core::GlobalRank first_rank) {
  return (local_ranks.size() == 1 ? "rank " : "ranks ") + rank_list(local_ranks, first_rank);
}

std::string rank_list(const std::vector<core::LocalRank>& local_ranks,
                      core::GlobalRank first_rank) {
  std::string text;
  for (std::size_t i = 0; i < local_ranks.size();) {
    std::size_t end = i + 1;
    while (end < local_ranks.size() && local_ranks[end] == local_ranks[end - 1] + 1) ++end;
    if (!text.empty()) text += ", ";
    text += to_string(global_rank(first_rank, local_ranks[i]));
    if (end - i == 2) text += ", " + to_string(global_rank(first_rank, local_ranks[end - 1]));
    if (end - i > 2) text += "-" + to_string(global_rank(first_rank, local_ranks[end - 1]));
    i = end;
  }
  return text;
}

std::string requester_text(const core::Requester& by) {
  return fmt::format("ddpctl (pid {}, user {})", by.pid, by.user);
}

std::string control_text(const core::ControlRequested& request, core::GlobalRank first_rank) {
  std::string text = requester_text(request.by) + ": " + request.command;
  if (!request.detail.empty()) text += " " + request.detail;
  if (!request.ranks.empty()) text += " " + ranks_text(request.ranks, first_rank);
  return line(text);
}

std::string status_text(const core::ExitStatus& status) {
  if (const auto* exited = std::get_if<core::Exited>(&status))
    return fmt::format("exited with code {}", exited->code);
  const auto& signaled = std::get<core::Signaled>(status);
  return "was killed by " + signal_name(signaled.signal) +
         (signaled.core_dumped ? " (core dumped)" : "");
}

std::string waiting_text(const core::Cause& cause, const std::vector<core::LocalRank>& local_ranks,
                         core::Nanoseconds left, bool interrupted, const VerdictContext& context) {
  return line(fmt::format("{}; waiting up to {} for {} to exit; {} kills at once",
                          cause_text(cause, context.first_rank, context.program), left_text(left),
                          ranks_text(local_ranks, context.first_rank),
                          interrupted ? "another Ctrl-C" : "Ctrl-C"));
}

std::string dying_text(const std::vector<core::Survivor>& remaining, core::GlobalRank first_rank,
                       core::Nanoseconds left) {
  std::string text;
  for (const auto& survivor : remaining) {
    text += text.empty() ? "" : "; ";
    text += name_of(survivor, first_rank) + ", " + state_of(survivor);
  }
  return line(fmt::format("waiting up to {} for processes still alive after SIGKILL: {}",
                          left_text(left), text));
}

std::string verdict_text(const core::Verdict& verdict, const VerdictContext& context) {
  std::string text;
  if (verdict.cause) {
    const bool failure = core::is_failure(*verdict.cause);
    std::string cause = cause_text(*verdict.cause, context.first_rank, context.program);
    if (failure && !context.exception.text.empty()) cause += ": " + context.exception.text;
    cause += circumstances(*verdict.cause, verdict, context);
    if (!context.injected.empty()) cause += "; injected: " + context.injected;
    text +=
        context.colour && failure ? "ddp-launch: \x1b[1;31m" + cause + "\x1b[0m\n" : line(cause);
    for (const auto& said : context.diagnosis) text += "  " + said + "\n";
    if (failure) {
      text += tail_text(failure_lines(context.exception, context.tail));
      if (context.earlier) text += line(earlier_text(*context.earlier, context.first_rank));
      if (!context.hint.empty()) text += line(context.hint);
      const auto before = exited_before_text(verdict, context.first_rank);
      if (!before.empty()) text += line(before);
    } else if (const auto ends = stopped_text(verdict, context.first_rank); !ends.empty()) {
      text += line(ends);
      // An uncaught KeyboardInterrupt is the normal effect of the stop request.
      if (!context.exception.text.starts_with("KeyboardInterrupt")) text += tail_text(context.tail);
    }
    if (!context.stack.empty()) {
      text += line("stack of the hung rank:");
      for (const auto& frame : context.stack) text += "  > " + frame + "\n";
    }
    for (const auto& said : context.witness) text += line(said);
    if (!context.evidence.empty()) text += line(context.evidence);
    const auto alike = [&](const core::WorkerOutcome& worker) {
      return std::find(context.ended_alike.begin(), context.ended_alike.end(), worker.local_rank) !=
             context.ended_alike.end();
    };
    const auto injected = ends_text(verdict, context.first_rank, alike);
    if (!injected.empty()) text += line("also ended by injected faults: " + injected);
    const bool hung = std::holds_alternative<core::Hung>(*verdict.cause);
    const auto meanwhile =
        ends_text(verdict, context.first_rank, [&](const core::WorkerOutcome& worker) {
          return hung && !worker.stopped_by_launcher && !alike(worker) &&
                 worker.ended >= verdict.failed;
        });
    if (!meanwhile.empty()) text += line("exited during hang diagnostics: " + meanwhile);
    const auto stopped =
        ends_text(verdict, context.first_rank, [&](const core::WorkerOutcome& worker) {
          return worker.stopped_by_launcher && !alike(worker);
        });
    if (failure && !stopped.empty()) text += line("stopped by ddp-launch: " + stopped);
  }
  if (!verdict.killed.empty()) {
    text +=
        line("killed leftover processes: " + leftovers_text(verdict.killed, context.first_rank));
  }
  for (const auto& survivor : verdict.survivors) {
    text +=
        line(name_of(survivor, context.first_rank) + " could not be killed: " + state_of(survivor));
  }
  return text;
}

std::string decision_text(const core::RestartDecision& decision, const core::Verdict& verdict,
                          const VerdictContext& context) {
  using Reason = core::GiveUp::Reason;
  return std::visit(
      Overloaded{
          [&](const core::RestartIn& restart) {
            return line("restarting the group" +
                        (restart.delay.count() > 0 ? " in " + duration_text(restart.delay) : ""));
          },
          [&](const core::GiveUp& give_up) -> std::string {
            switch (give_up.reason) {
              case Reason::no_restarts_left:
                if (context.max_restarts == 0) return {};
                return line(fmt::format("not restarted: no restarts left (--max-restarts {})",
                                        context.max_restarts));
              case Reason::not_retryable:
                return line("not restarted: this failure is not retryable");
              case Reason::code_excluded:
                return line(fmt::format(
                    "not restarted: --restart-on or --no-restart-on excludes exit code {}",
                    core::exit_code_of(verdict)));
              case Reason::failed_too_soon:
                return line(
                    "not restarted: the attempt failed before --restart-after allows a restart");
              case Reason::crash_loop:
                return line(fmt::format(
                    "not restarted: crash loop, the same failure {} times in a row without "
                    "progress",
                    give_up.count));
              case Reason::out_of_time:
                if (context.max_restarts == 0) return {};
                return line("not restarted: the run exceeded its time limit (--timeout)");
              case Reason::stop_requested:
                // Where the stop request is the cause itself, it is reported already.
                if (context.max_restarts == 0 || !verdict.cause ||
                    !core::is_failure(*verdict.cause))
                  return {};
                return line("not restarted: stop requested");
              case Reason::unkillable:
                return {};
            }
            return {};
          },
      },
      decision);
}

}  // namespace ddp
