#include "launcher/core/stop_scope.hpp"

#include <algorithm>
#include <csignal>

namespace ddp::core {
namespace {

bool has(std::uint64_t set, int signal) {
  return signal > 0 && signal <= 64 && (set >> (signal - 1) & 1) != 0;
}

bool had(const SignalsSent& sent, const ProcessFacts& process, int signal) {
  const auto one = sent.find({process.pid, process.start_time});
  return one != sent.end() && one->second.signals.contains(signal);
}

bool had_any(const SignalsSent& sent, const ProcessFacts& process) {
  return sent.contains({process.pid, process.start_time});
}

Delivery delivery(const ProcessFacts& process, int signal) {
  return {process.pid, process.start_time, signal};
}

template <class Visit>
void for_each_child(const ProcessTable& table, int parent, Visit visit) {
  for (const auto& process : table) {
    if (process.parent == parent && !process.first) visit(process);
  }
}

bool first_process_lives(const ProcessTable& table, LocalRank local_rank) {
  return std::any_of(table.begin(), table.end(), [&](const ProcessFacts& process) {
    // What nothing is known of may be anybody's.
    return process.first && (local_rank < 0 || process.local_rank == local_rank);
  });
}

// Handlers for `signal` below `process`, the topmost of each branch.
void topmost_handlers(const ProcessTable& table, const ProcessFacts& process, int signal,
                      std::vector<Delivery>& found) {
  if (has(process.caught, signal)) return found.push_back(delivery(process, signal));
  for_each_child(table, process.pid,
                 [&](const ProcessFacts& child) { topmost_handlers(table, child, signal, found); });
}

// Who waits stands for what it waits for.
void stand_ins(const ProcessTable& table, const ProcessFacts& process, int signal,
               std::vector<Delivery>& found) {
  const auto before = found.size();
  if (process.waits) {
    for_each_child(table, process.pid, [&](const ProcessFacts& child) {
      if (child.reads_pipe == 0) stand_ins(table, child, signal, found);
    });
  }
  if (found.size() == before) found.push_back(delivery(process, signal));
}

}  // namespace

const char* name_of(Proof proof) {
  switch (proof) {
    case Proof::none:
      return "none";
    case Proof::session:
      return "session";
    case Proof::parentage:
      return "parentage";
    case Proof::environment:
      return "environment";
  }
  return "?";
}

bool ends_with_pipe(const ProcessTable& table, const ProcessFacts& process, int signal) {
  if (process.reads_pipe == 0) return false;
  if (!has(process.caught, signal)) return true;
  // It has a handler: the trainer itself may stand behind a pipe (cat data | train). Then nothing
  // that feeds it has one, and is still there.
  bool fed = false;
  for (const auto& writer : table) {
    const auto& pipes = writer.writes_pipes;
    if (std::find(pipes.begin(), pipes.end(), process.reads_pipe) == pipes.end()) continue;
    if (has(writer.caught, signal)) return true;
    fed = true;
  }
  return !fed;
}

std::vector<Delivery> next_to_stop(const ProcessTable& table, const SignalsSent& sent, int signal,
                                   int supervisor) {
  std::vector<Delivery> found;
  std::vector<const ProcessFacts*> stopped;  // those whose children may be next
  for (const auto& process : table) {
    if (had_any(sent, process)) {
      if (!sent.at({process.pid, process.start_time}).passed_on) stopped.push_back(&process);
    } else if (process.parent == supervisor && !process.first &&
               !first_process_lives(table, process.local_rank) &&
               !ends_with_pipe(table, process, signal)) {
      found.push_back(delivery(process, has(process.ignored, signal) ? SIGTERM : signal));
      stopped.push_back(&process);
    }
  }
  for (std::size_t i = 0; i < stopped.size(); ++i) {
    if (!stopped[i]->waits) continue;
    for_each_child(table, stopped[i]->pid, [&](const ProcessFacts& child) {
      if (had_any(sent, child) || ends_with_pipe(table, child, signal)) return;
      found.push_back(delivery(child, signal));
      stopped.push_back(&child);
    });
  }
  return found;
}

std::vector<Delivery> rest_to_stop(const ProcessTable& table, const SignalsSent& sent, int signal) {
  std::vector<Delivery> found;
  for (const auto& process : table) {
    if (!had(sent, process, signal) && !ends_with_pipe(table, process, signal))
      found.push_back(delivery(process, signal));
  }
  return found;
}

std::vector<Delivery> to_forward(const ProcessTable& table, int signal) {
  std::vector<Delivery> found;
  for (const auto& process : table) {
    if (!process.first) continue;
    const auto before = found.size();
    topmost_handlers(table, process, signal, found);
    if (found.size() == before) stand_ins(table, process, signal, found);
  }
  return found;
}

}  // namespace ddp::core
