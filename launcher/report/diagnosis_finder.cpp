#include "launcher/report/diagnosis_finder.hpp"

#include "launcher/diagnosis/built_in.hpp"
#include "launcher/os/file_system.hpp"
#include "launcher/os/kernel_log.hpp"
#include "launcher/os/limits.hpp"
#include "launcher/output/tail_buffer.hpp"
#include "launcher/report/exception_finder.hpp"
#include "launcher/report/failure_message.hpp"
#include "launcher/report/plain_text.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ddp {
namespace {

using diagnosis::SystemFact;

constexpr const char* kSharedMemory = "/dev/shm";
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSmallSharedMemory = 64 * kMiB;  // docker's default
constexpr rlim_t kFewDescriptors = 4096;
constexpr std::size_t kWitnesses = 8;
constexpr int kWitnessLines = 20;
constexpr std::size_t kEvidenceBytes = 300;

bool full(const os::Space& space) { return space.free < kMiB || !space.inodes_left; }

// Whether the rank failed by itself, not by a signal of the launcher's.
bool failed_by_itself(const core::WorkerOutcome& worker) {
  if (!worker.status || core::succeeded(*worker.status)) return false;
  const auto* signaled = std::get_if<core::Signaled>(&*worker.status);
  return signaled == nullptr || signaled->signal != worker.last_signal_sent;
}

}  // namespace

// A file system that stops answering must not hold up a report, so that only local ones are
// examined after a failure. Which they are is asked now, when they answer.
DiagnosisFinder::DiagnosisFinder(Sources sources)
    : sources_(std::move(sources)),
      run_dir_is_local_(os::is_local(sources_.run_dir)),
      shared_memory_is_local_(os::is_local(kSharedMemory)) {}

void DiagnosisFinder::apply(const core::GenerationBegan& began, core::TimePoint now) {
  generation_ = began.generation;
  began_ = now;
  system_.reset();
  exception_ = {};
}

void DiagnosisFinder::apply(const core::TeardownBegan& teardown, core::TimePoint) {
  if (!core::is_failure(teardown.cause)) return;
  // SIGKILL may follow in the same step.
  sources_.loop.post([this, generation = generation_] {
    if (generation == generation_ && !system_) examine_system();
  });
}

void DiagnosisFinder::apply(const core::ExceptionFound& found, core::TimePoint) {
  exception_ = found.exception;
}

void DiagnosisFinder::examine_system() {
  auto& facts = system_.emplace();
  const auto add = [&](SystemFact fact, bool holds) {
    if (holds) facts.push_back(fact);
  };
  const auto space = [](const char* path, bool is_local) {
    return is_local ? os::space_of(path) : std::nullopt;
  };
  if (const auto shared = space(kSharedMemory, shared_memory_is_local_)) {
    add(SystemFact::shm_full, full(*shared));
    add(SystemFact::shm_small, shared->size <= kSmallSharedMemory);
  }
  if (const auto disk = space(sources_.run_dir.c_str(), run_dir_is_local_))
    add(SystemFact::disk_full, full(*disk));
  add(SystemFact::nofile_limit, os::worker_descriptor_limit() <= kFewDescriptors);
}

void DiagnosisFinder::apply(const core::GenerationOver& over, core::TimePoint) {
  const auto& verdict = over.verdict;
  if (!verdict.cause || !core::is_failure(*verdict.cause)) return;
  if (!system_) examine_system();
  const bool restarts = over.decision && std::holds_alternative<core::RestartIn>(*over.decision);
  if (!restarts)
    return diagnose(facts_of(verdict), verdict.generation, [&] { return witnesses(verdict); });
  // The next attempt removes error files.
  sources_.loop.post(
      [this, facts = facts_of(verdict), generation = verdict.generation,
       others = witnesses(verdict)] { diagnose(facts, generation, [&] { return others; }); });
}

void DiagnosisFinder::diagnose(const diagnosis::Facts& facts, core::Generation generation,
                               const std::function<std::vector<diagnosis::Witness>()>& witnesses) {
  const auto built_in = diagnosis::built_in_signatures();
  std::vector<diagnosis::Signature> signatures(sources_.users.begin(), sources_.users.end());
  signatures.insert(signatures.end(), built_in.begin(), built_in.end());
  auto found = diagnosis::diagnose(signatures, facts, witnesses);
  if (!found) return;
  found->evidence = plain_text(std::string_view(found->evidence).substr(0, kEvidenceBytes));
  sources_.publish(core::DiagnosisMade{generation, std::move(*found)});
}

diagnosis::Facts DiagnosisFinder::facts_of(const core::Verdict& verdict) const {
  const auto& cause = *verdict.cause;
  diagnosis::Facts facts{
      core::exit_status_of(cause),
      {},
      [since = began_, log = std::optional<std::vector<std::string>>()]() mutable {
        if (!log) log = os::kernel_log_since(since);
        return *log;
      },
      *system_};
  if (core::is_oom_kill(cause)) facts.system.push_back(SystemFact::oom);
  if (const auto* failed = std::get_if<core::WorkerNotStarted>(&cause)) {
    // The rank has written nothing: what the report says of it takes the place of its lines.
    facts.lines.push_back(cause_text(cause, {}, sources_.program));
    // Its file system has just answered that.
    if (failed->error.error_number == ENOENT && os::first_line_ends_in_crlf(sources_.program))
      facts.system.push_back(SystemFact::crlf_interpreter);
  } else if (const auto rank = core::root_cause_rank(cause)) {
    facts.lines = lines_of(*rank, exception_, static_cast<int>(out::TailBuffer::kLines));
  }
  return facts;
}

std::vector<std::string> DiagnosisFinder::lines_of(core::LocalRank rank,
                                                   const core::RankException& exception,
                                                   int count) const {
  std::vector<std::string> lines;
  if (!exception.text.empty()) lines.push_back(exception.text);
  lines.insert(lines.end(), exception.traceback.begin(), exception.traceback.end());
  auto tail = sources_.router.tail(rank, count);
  std::move(tail.begin(), tail.end(), std::back_inserter(lines));
  return lines;
}

// The first to fail comes first.
std::vector<diagnosis::Witness> DiagnosisFinder::witnesses(const core::Verdict& verdict) const {
  const auto root = core::root_cause_rank(*verdict.cause);
  std::vector<const core::WorkerOutcome*> failed;
  for (const auto& worker : verdict.workers) {
    if (worker.local_rank != root && worker.ended && failed_by_itself(worker))
      failed.push_back(&worker);
  }
  std::stable_sort(failed.begin(), failed.end(),
                   [](const auto* one, const auto* other) { return one->ended < other->ended; });
  if (failed.size() > kWitnesses) failed.resize(kWitnesses);
  std::vector<diagnosis::Witness> witnesses;
  for (const auto* worker : failed) {
    const auto record = read_error_file(sources_.files.path(worker->local_rank));
    witnesses.push_back(
        {worker->local_rank, worker->status,
         lines_of(worker->local_rank, record ? record->exception : core::RankException{},
                  kWitnessLines)});
  }
  return witnesses;
}

}  // namespace ddp
