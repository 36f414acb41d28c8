#include "launcher/core/group/stop_scope.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace ddp::core {
namespace {

bool has(std::uint64_t set, int signal) {
  return signal > 0 && signal <= 64 && (set >> (signal - 1) & 1) != 0;
}

using Key = std::pair<int, std::uint64_t>;

Key key_of(const ProcessFacts& process) { return {process.pid, process.start_time}; }

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
    // A process of unknown rank may be any rank's.
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

// A process that waits stands for what it waits for.
void stand_ins(const ProcessTable& table, const ProcessFacts& process, int signal,
               std::vector<Delivery>& found) {
  const auto before = found.size();
  if (process.shell || process.waits) {
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

bool is_filter(const ProcessTable& table, const ProcessFacts& process, int signal) {
  if (process.reads_pipe == 0) return false;
  bool is_fed = false;
  for (const auto& writer : table) {
    const auto& pipes = writer.writes_pipes;
    if (writer.pid == process.pid ||
        std::find(pipes.begin(), pipes.end(), process.reads_pipe) == pipes.end())
      continue;
    // The one with a handler is the program.
    if (has(writer.caught, signal) || !has(process.caught, signal)) return true;
    is_fed = true;
  }
  // Its writer has exited, or holds the pipe elsewhere: a program with a handler is asked.
  return !is_fed && !has(process.caught, signal) && process.pipe_is_open;
}

namespace {

// Whether its children get the signal that it had.
bool passes_on(const ProcessFacts& process, const Sent& sent, const StopRequest& request) {
  if (sent.passed_on) return false;
  if (process.shell) return true;
  if (!process.waits) return false;
  if (sent.examined)  // its handler has led it here
    return !sent.waited && request.now - request.began >= kLookAgainAfter;
  // A program with a handler acts on it, maybe when what it waits for (an upload) is done. Python
  // has one for SIGINT, which does not.
  return !has(process.caught, request.signal) || request.signal == SIGINT;
}

// Whether an orphan or a child gets no signal for now, as a reader of a pipe.
bool is_spared(const ProcessTable& table, const ProcessFacts& process, StopRequest& request) {
  if (process.reads_pipe == 0) return false;
  const Key key = key_of(process);
  if (is_filter(table, process, request.signal)) {
    request.filters[key] = std::nullopt;
    return true;
  }
  if (has(process.caught, request.signal) && !request.filters.contains(key)) return false;
  // At its pipe's end, with the last data still to be processed.
  auto& since = request.filters[key];
  if (!since) since = request.now;
  return request.now - *since < kLookAgainAfter;
}

}  // namespace

std::vector<Delivery> next_to_stop(const ProcessTable& table, StopRequest& request) {
  std::vector<Delivery> found;
  const auto send = [&](const ProcessFacts& process, int signal) {
    found.push_back(delivery(process, signal));
    request.sent[key_of(process)].signals.insert(signal);
  };
  std::vector<const ProcessFacts*> had_it;
  for (const auto& process : table) {
    if (request.sent.contains(key_of(process))) {
      had_it.push_back(&process);
    } else if (process.parent == request.supervisor && !process.first &&
               !first_process_lives(table, process.local_rank) &&
               !is_spared(table, process, request)) {
      send(process, has(process.ignored, request.signal) ? SIGTERM : request.signal);
      had_it.push_back(&process);
    }
  }
  for (std::size_t i = 0; i < had_it.size(); ++i) {
    const ProcessFacts& process = *had_it[i];
    Sent& sent = request.sent[key_of(process)];
    const bool passing = passes_on(process, sent, request);
    if (!std::exchange(sent.examined, true)) sent.waited = process.waits;
    if (!passing) continue;
    sent.passed_on = true;
    for_each_child(table, process.pid, [&](const ProcessFacts& child) {
      if (request.sent.contains(key_of(child)) || is_spared(table, child, request)) return;
      if (request.asked_at != 0 && child.start_time > request.asked_at) return;
      send(child, request.signal);
      had_it.push_back(&child);
    });
  }
  return found;
}

std::vector<Delivery> rest_to_stop(const ProcessTable& table, int signal, StopRequest& request) {
  std::vector<Delivery> found;
  for (const auto& process : table) {
    const bool fed = std::any_of(table.begin(), table.end(), [&](const ProcessFacts& writer) {
      const auto& pipes = writer.writes_pipes;
      return writer.pid != process.pid &&
             std::find(pipes.begin(), pipes.end(), process.reads_pipe) != pipes.end();
    });
    const bool filter = fed && is_filter(table, process, signal);
    if (!filter && request.sent[key_of(process)].signals.insert(signal).second)
      found.push_back(delivery(process, signal));
  }
  return found;
}

bool includes(std::span<const LocalRank> ranks, LocalRank rank) {
  return ranks.empty() || std::find(ranks.begin(), ranks.end(), rank) != ranks.end();
}

std::vector<Delivery> to_forward(const ProcessTable& table, int signal,
                                 std::span<const LocalRank> ranks) {
  std::vector<Delivery> found;
  for (const auto& process : table) {
    if (!process.first || !includes(ranks, process.local_rank)) continue;
    const auto before = found.size();
    topmost_handlers(table, process, signal, found);
    if (found.size() == before) stand_ins(table, process, signal, found);
  }
  return found;
}

}  // namespace ddp::core
