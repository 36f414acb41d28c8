#include "launcher/report/exception_finder.hpp"

#include "launcher/base/log.hpp"
#include "launcher/base/text_file.hpp"
#include "launcher/output/tail_buffer.hpp"
#include "launcher/report/error_file.hpp"
#include "launcher/report/exit_message.hpp"
#include "launcher/report/traceback.hpp"

#include <sys/stat.h>

#include <utility>

namespace ddp {
namespace {

using SystemClock = std::chrono::system_clock;

// Python exits with 1 after an uncaught exception.
constexpr core::ExitStatus kUncaught = core::Exited{1};
// A file's time is that of the kernel's last tick, 10 ms ago at most.
constexpr std::chrono::milliseconds kCoarse{10};

SystemClock::time_point wall_clock(core::TimePoint time) {
  return SystemClock::now() -
         std::chrono::duration_cast<SystemClock::duration>(std::chrono::steady_clock::now() - time);
}

}  // namespace

std::optional<ErrorRecord> read_error_file(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  const auto refused = [&](const std::string& why) {
    log::write(log::Level::info, path + ": " + why + "; it is not used");
    return std::nullopt;
  };
  const auto text = read_text_file(path, kErrorFileBytes);
  if (!text) return refused(text.error());
  auto exception = parse_error_file(*text);
  if (!exception) return refused("it describes no exception");
  const auto since_epoch = std::chrono::seconds(status.st_mtim.tv_sec) +
                           std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return ErrorRecord{
      std::move(*exception),
      SystemClock::time_point(std::chrono::duration_cast<SystemClock::duration>(since_epoch))};
}

void ExceptionFinder::apply(const core::GenerationOver& over, core::TimePoint) {
  const auto& verdict = over.verdict;
  if (!verdict.cause) return;
  const auto* failed = std::get_if<core::WorkerFailed>(&*verdict.cause);
  const auto rank = failed != nullptr ? failed->local_rank : raised_while_stopping(verdict);
  if (!rank) return;
  const auto& worker = verdict.workers.at(static_cast<std::size_t>(*rank));
  core::ExceptionFound found;
  std::optional<SystemClock::time_point> limit;
  // A file server's clock may differ from this machine's.
  if (worker.ended && !files_.kept()) limit = wall_clock(*worker.ended) - kCoarse;
  if (auto record = read_error_file(files_.path(*rank))) {
    found.exception = std::move(record->exception);
    limit = record->written;
  } else if (failed == nullptr || worker.status == kUncaught) {
    const auto tail = router_.tail(*rank, static_cast<int>(out::TailBuffer::kLines));
    if (auto exception = find_traceback(tail)) found.exception = std::move(*exception);
  }
  if (failed != nullptr && limit) found.earlier = earlier_than(verdict, *rank, *limit);
  if (!found.exception.text.empty() || found.earlier) publish_(found);
}

std::optional<core::EarlierException> ExceptionFinder::earlier_than(
    const core::Verdict& verdict, core::LocalRank rank, SystemClock::time_point limit) const {
  std::optional<core::EarlierException> first;
  auto earliest = limit;
  for (const auto& worker : verdict.workers) {
    if (worker.local_rank == rank || !worker.status || core::succeeded(*worker.status)) continue;
    auto record = read_error_file(files_.path(worker.local_rank));
    if (!record || record->written >= earliest) continue;
    earliest = record->written;
    first = core::EarlierException{worker.local_rank, std::move(record->exception.text),
                                   limit - earliest};
  }
  return first;
}

}  // namespace ddp
