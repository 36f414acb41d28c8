#include "launcher/preflight/check_runner.hpp"

#include "common/env_names.hpp"
#include "launcher/os/descendants.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {
namespace {

constexpr off_t kMostRead = 4096;
constexpr std::size_t kLines = 10;

// What belongs to an attempt, which does not exist yet.
constexpr std::array kOfAttempt{env::kErrorFile, env::kNotifySocket, env::kWatchdogUsec,
                                env::kDdpFaults, env::kCampaignEvents};

std::vector<std::string> environment(const WorkerSpec& spec, core::LocalRank rank,
                                     core::Generation generation, const std::string& run_dir) {
  WorkerSlot slot;
  slot.local_rank = rank;
  slot.generation = generation;
  slot.master_port = spec.rendezvous.master_port.value_or(0);
  slot.run_dir = run_dir;
  auto all = worker_environment(spec, slot, environ);
  std::erase_if(all, [&](const std::string& entry) {
    const auto name = std::string_view(entry).substr(0, entry.find('='));
    return std::find(kOfAttempt.begin(), kOfAttempt.end(), name) != kOfAttempt.end() ||
           (name == env::kMasterPort && slot.master_port == 0);
  });
  return all;
}

// The last lines of a file in memory.
std::vector<std::string> last_lines(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return {};
  const off_t from = std::max<off_t>(0, info.st_size - kMostRead);
  std::string text(static_cast<std::size_t>(info.st_size - from), '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(std::move(line));
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - std::ptrdiff_t{kLines});
  return lines;
}

}  // namespace

CheckRunner::CheckRunner(os::Loop& loop, Workers& workers, WorkerSpec spec, std::string command,
                         std::string run_dir, core::Publish publish)
    : loop_(loop),
      workers_(workers),
      spec_(std::move(spec)),
      command_(std::move(command)),
      run_dir_(std::move(run_dir)),
      publish_(std::move(publish)) {}

void CheckRunner::publish(core::CheckEnd end) {
  publish_(core::CheckEnded{generation_, std::move(end)});
}

void CheckRunner::run(const core::RunChecks& run) {
  generation_ = run.generation;
  waiting_.assign(run.ranks.begin(), run.ranks.end());
  if (!std::exchange(starts_, true)) loop_.post([this] { start_next(); });
}

void CheckRunner::start_next() {
  starts_ = false;
  if (waiting_.empty()) return;
  const core::LocalRank rank = waiting_.front();
  waiting_.pop_front();
  const auto failed = [&](int error_number) {
    publish({.local_rank = rank,
             .status = std::nullopt,
             .not_started = std::strerror(error_number),
             .lines = {}});
  };
  const os::ScopedFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  os::ScopedFd output(::memfd_create("ddp-launch check", MFD_CLOEXEC));
  // Two streams of one file, which append to each other.
  if (!null.valid() || !output.valid() || ::fcntl(output.get(), F_SETFL, O_APPEND) != 0)
    return failed(errno);
  os::SpawnRequest request;
  request.program = "/bin/sh";
  request.arguments = {"-c", command_};
  request.environment = environment(spec_, rank, generation_, run_dir_);
  request.stdin_fd = null.get();
  request.stdout_fd = output.get();
  request.stderr_fd = output.get();
  if (const auto place = static_cast<std::size_t>(rank); place < spec_.places.size())
    request.cpus = spec_.places[place].cpus;
  const auto error = workers_.spawn_helper(
      std::move(request), [this, rank](core::ExitStatus status) { ended(rank, status); });
  if (error) return failed(error->error_number);
  running_.emplace(rank, std::move(output));
  if (!waiting_.empty() && !std::exchange(starts_, true)) loop_.post([this] { start_next(); });
}

void CheckRunner::ended(core::LocalRank rank, core::ExitStatus status) {
  auto one = running_.extract(rank);
  if (one.empty()) return;  // it was ended
  publish({.local_rank = rank,
           .status = status,
           .not_started = {},
           .lines = last_lines(one.mapped().get())});
}

void CheckRunner::end() {
  waiting_.clear();
  for (const auto& [rank, output] : std::exchange(running_, {}))
    publish({.local_rank = rank,
             .status = std::nullopt,
             .not_started = {},
             .lines = last_lines(output.get())});
  workers_.end(loop_.now() + os::final_wait(), /*at_once=*/true,
               [this](std::vector<core::Survivor> survivors, std::vector<core::Leftover>) {
                 publish_(core::ChecksGone{std::move(survivors)});
               });
}

}  // namespace ddp
