#include "launcher/report/exit_message.hpp"

#include "common/duration_text.hpp"
#include "common/signal_name.hpp"
#include "launcher/report/failure_message.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace ddp {

std::string stopped_text(const core::Verdict& verdict, core::GlobalRank first_rank) {
  std::vector<std::pair<std::string, std::vector<core::LocalRank>>> groups;  // by lowest rank
  for (const auto& worker : verdict.workers) {
    if (!worker.status || !worker.stopped_by_launcher) continue;
    std::string how = status_text(*worker.status);
    if (const auto* signaled = std::get_if<core::Signaled>(&*worker.status)) {
      if (signaled->signal == worker.last_signal_sent) {
        how = signaled->signal == SIGKILL ? "needed SIGKILL"
                                          : "ended by " + signal_name(signaled->signal);
      }
    }
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == how; });
    if (known != groups.end()) {
      known->second.push_back(worker.local_rank);
    } else {
      groups.push_back({std::move(how), {worker.local_rank}});
    }
  }
  std::string text;
  for (const auto& [how, ranks] : groups) {
    if (!text.empty()) text += "; ";
    text += ranks_text(ranks, first_rank) + " " + how;
  }
  return text;
}

std::string exited_before_text(const core::Verdict& verdict, core::GlobalRank first_rank) {
  std::vector<core::LocalRank> ranks;
  std::optional<core::TimePoint> last;
  for (const auto& worker : verdict.workers) {
    if (verdict.cause && core::root_cause_rank(*verdict.cause) == worker.local_rank) continue;
    const bool before = worker.ended && verdict.failed && *worker.ended < *verdict.failed &&
                        worker.status && core::succeeded(*worker.status);
    if (!before) continue;
    ranks.push_back(worker.local_rank);
    last = last ? std::max(*last, *worker.ended) : *worker.ended;
  }
  if (ranks.empty()) return {};
  return fmt::format("{} exited with code 0, {}{} earlier", ranks_text(ranks, first_rank),
                     ranks.size() > 1 ? "the last " : "", duration_text(*verdict.failed - *last));
}

std::string leftovers_text(const std::vector<core::Leftover>& leftovers,
                           core::GlobalRank first_rank) {
  constexpr std::size_t kNamed = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(leftovers.size(), kNamed); ++i) {
    const auto& one = leftovers[i];
    text += (i > 0 ? ", " : "") + fmt::format("pid {} ({})", one.pid, one.command);
    if (one.local_rank >= 0)
      text += fmt::format(" of rank {}", to_string(global_rank(first_rank, one.local_rank)));
  }
  if (leftovers.size() > kNamed) text += fmt::format(" and {} more", leftovers.size() - kNamed);
  return text;
}

std::optional<core::LocalRank> raised_while_stopping(const core::Verdict& verdict) {
  if (!verdict.cause || core::is_failure(*verdict.cause)) return std::nullopt;
  // An uncaught KeyboardInterrupt closes the connections of its rank, at which the peers fail that
  // the signal reached within a collective. A program that handles Ctrl-C does so in all ranks.
  if (std::any_of(verdict.workers.begin(), verdict.workers.end(), [](const auto& worker) {
        const auto* signaled =
            worker.status ? std::get_if<core::Signaled>(&*worker.status) : nullptr;
        return signaled != nullptr && signaled->signal == SIGINT &&
               worker.last_signal_sent == SIGINT;
      }))
    return std::nullopt;
  for (const auto& worker : verdict.workers) {
    const auto* exited = worker.status ? std::get_if<core::Exited>(&*worker.status) : nullptr;
    // A shell exits with 128+n if a signal ended its command.
    if (worker.stopped_by_launcher && exited != nullptr && exited->code != 0 && exited->code < 128)
      return worker.local_rank;
  }
  return std::nullopt;
}

std::string lingering_text(const std::vector<core::Leftover>& running, core::GlobalRank first_rank,
                           core::Nanoseconds left) {
  return fmt::format("all ranks exited; waiting up to {} for leftover processes: {}",
                     left_text(left), leftovers_text(running, first_rank));
}

}  // namespace ddp
