#include "common/faults/worker_faults.hpp"

#include "common/env_names.hpp"
#include "common/parse.hpp"

#include <algorithm>
#include <limits>

namespace ddp::fault {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

// Removes from `text` what comes before `end`, all of it where there is none, and returns it.
std::string_view cut(std::string_view& text, char end) {
  const auto at = text.find(end);
  const auto head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

Result<WorkerFaultEntry> parse_entry(std::string_view text) {
  const Error refused{"'" + std::string(text) + "': expected <fault>/<done>:<spec>"};
  WorkerFaultEntry entry;
  const auto fault = parse_integer("", cut(text, '/'), 0, 1 << 20);
  auto done = cut(text, ':');
  const auto next = parse_integer("", cut(done, ','), 0, kMost);
  if (!fault || !next) return refused;
  entry.fault = static_cast<int>(*fault);
  entry.progress.next = *next;
  while (!done.empty()) {
    const auto occurrence = parse_integer("", cut(done, ','), *next, kMost);
    if (!occurrence) return refused;
    entry.progress.finish(*occurrence);
  }
  auto spec = parse(text);
  if (!spec) return Error{"'" + std::string(text) + "': " + spec.error()};
  if (info(spec->kind).side != Side::worker)
    return Error{"'" + std::string(text) + "': not a fault of a worker's own"};
  entry.spec = std::move(*spec);
  return entry;
}

}  // namespace

std::string format_entries(const std::vector<WorkerFaultEntry>& entries) {
  std::string text;
  for (const auto& entry : entries) {
    if (!text.empty()) text += ';';
    text += std::to_string(entry.fault) + "/" + std::to_string(entry.progress.next);
    for (const auto occurrence : entry.progress.done) text += "," + std::to_string(occurrence);
    text += ":" + format(entry.spec);
  }
  return text;
}

Result<std::vector<WorkerFaultEntry>> parse_entries(std::string_view text) {
  std::vector<WorkerFaultEntry> entries;
  while (!text.empty()) {
    auto entry = parse_entry(cut(text, ';'));
    if (!entry) return Error{entry.error()};
    entries.push_back(std::move(*entry));
  }
  return entries;
}

std::string format_injection_id(const InjectionId& id) {
  return std::to_string(id.fault) + "." + std::to_string(id.occurrence) + "@" +
         std::to_string(id.step);
}

std::optional<InjectionId> parse_injection_id(std::string_view text) {
  const auto fault = parse_integer("", cut(text, '.'), 0, 1 << 20);
  const auto occurrence = parse_integer("", cut(text, '@'), 0, kMost);
  const auto step = parse_integer("", text, 0, kMost);
  if (!fault || !occurrence || !step) return std::nullopt;
  return InjectionId{static_cast<int>(*fault), *occurrence, *step};
}

Result<WorkerFaults> WorkerFaults::read(const GetEnv& get_env, int rank, int world_size,
                                        int generation) {
  WorkerFaults faults;
  const char* const text = get_env(env::kDdpFaults);
  if (text == nullptr) return faults;
  auto entries = parse_entries(text);
  if (!entries) return Error{std::string(env::kDdpFaults) + ": " + entries.error()};
  faults.active_ = true;
  faults.rank_ = rank;
  for (auto& entry : *entries) {
    if (!entry.spec.addresses(rank) || !entry.spec.in_generation(generation)) continue;
    const bool any = entry.spec.ranks.mode == Ranks::Mode::any;
    Schedule schedule(entry.spec, 0, entry.fault, any ? Schedule::kAny : rank, world_size);
    faults.armed_.push_back({std::move(entry), std::move(schedule)});
  }
  return faults;
}

std::vector<WorkerFaults::Injection> WorkerFaults::take(std::int64_t step,
                                                        std::span<const Kind> kinds) {
  std::vector<Injection> injections;
  for (auto& armed : armed_) {
    const Spec& spec = armed.entry.spec;
    if (std::find(kinds.begin(), kinds.end(), spec.kind) == kinds.end()) continue;
    Progress& progress = armed.entry.progress;
    std::optional<std::int64_t> occurrence;
    if (spec.periodic()) {
      occurrence = take_due(armed.schedule, progress, rank_, step);
    } else if (const auto k = progress.next;
               !armed.injected_this_generation && k < armed.schedule.times() &&
               armed.schedule.rank(k) == rank_ && armed.schedule.step(k) <= step) {
      // At most once per attempt: what is due at step 50 would be due at 51 as well.
      armed.injected_this_generation = true;
      progress.finish(k);
      occurrence = k;
    }
    if (!occurrence) continue;
    injections.push_back({spec.kind,
                          spec.value,
                          {armed.entry.fault, *occurrence, step},
                          armed.schedule.choice(*occurrence)});
  }
  return injections;
}

}  // namespace ddp::fault
