#include "launcher/supervisor/worker_starter.hpp"

#include "launcher/base/log.hpp"
#include "launcher/base/replaced.hpp"
#include "launcher/workers/worker_environment.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace ddp {

std::string notify_prefix(const std::string& private_dir) { return private_dir + "/notify."; }

WorkerStarter::WorkerStarter(os::Loop& loop, WorkerSpec spec, out::Router& router, Workers& workers,
                             FaultController& faults, ErrorFiles& error_files, std::string run_dir,
                             std::string private_dir, std::string ras_address,
                             core::Publish publish)
    : loop_(loop),
      spec_(std::move(spec)),
      router_(router),
      workers_(workers),
      faults_(faults),
      error_files_(error_files),
      run_dir_(std::move(run_dir)),
      private_dir_(std::move(private_dir)),
      ras_address_(std::move(ras_address)),
      publish_(std::move(publish)),
      delay_(loop.make_timer()),
      dev_null_(::open("/dev/null", O_RDWR | O_CLOEXEC)),
      refused_(dev_null_.valid() ? 0 : errno) {}

std::uint16_t WorkerStarter::begin(core::Generation generation) {
  error_files_.begin(generation);
  reservation_.reset();
  port_ = spec_.rendezvous.master_port.value_or(0);
  if (port_ != 0) return port_;
  errno = 0;
  auto reserved = os::PortReservation::any();
  no_port_ = errno != 0 ? errno : EADDRNOTAVAIL;
  if (!reserved) {
    log::write(log::Level::error, reserved.error());
    return 0;
  }
  port_ = reserved->port();
  reservation_ = std::move(*reserved);
  return port_;
}

void WorkerStarter::start(const core::SpawnWorker& spawn) {
  publish_(core::WorkerDue{spawn.local_rank});
  const auto change = faults_.take_change(spawn.local_rank);
  if (change.delay <= core::Nanoseconds::zero()) return answer(start_now(spawn, change));
  delayed_ = spawn;
  delay_->at(loop_.now() + change.delay, [this, spawn, change] {
    delayed_.reset();
    answer(start_now(spawn, change));
  });
}

void WorkerStarter::cancel() {
  if (!delayed_) return;
  delay_->cancel();
  // The group was torn down before it was started.
  answer(failed(*std::exchange(delayed_, std::nullopt), ECANCELED));
}

void WorkerStarter::answer(Outcome outcome) {
  loop_.post(
      [this, outcome] { std::visit([this](const auto& event) { publish_(event); }, outcome); });
}

WorkerStarter::Outcome WorkerStarter::failed(const core::SpawnWorker& spawn,
                                             int error_number) const {
  return core::SpawnFailed{spawn.local_rank, {core::SpawnStage::setup, error_number}};
}

WorkerStarter::Outcome WorkerStarter::start_now(const core::SpawnWorker& spawn,
                                                const SpawnChange& change) {
  if (change.refusal) return core::SpawnFailed{spawn.local_rank, *change.refusal};
  if (port_ == 0) return failed(spawn, no_port_);
  errno = 0;
  auto streams = router_.open(spawn.generation, spawn.local_rank);
  if (!streams) {
    const int error_number = errno != 0 ? errno : EMFILE;
    log::write(log::Level::error, streams.error());
    return failed(spawn, error_number);
  }
  auto request = this->request(spawn, change, streams->terminal);
  request.stdout_fd = streams->out.get();
  request.stderr_fd = streams->err.get();
  const auto spawned = workers_.spawn(spawn.local_rank, std::move(request));
  if (const auto* error = std::get_if<core::SpawnError>(&spawned))
    return core::SpawnFailed{spawn.local_rank, *error};
  return core::WorkerStarted{spawn.local_rank, std::get<int>(spawned)};
}

os::SpawnRequest WorkerStarter::request(const core::SpawnWorker& spawn, const SpawnChange& change,
                                        const std::optional<os::WindowSize>& terminal) {
  os::SpawnRequest request;
  request.program = spec_.options.command.front();
  request.arguments.assign(spec_.options.command.begin() + 1, spec_.options.command.end());
  // torchrun's macro.
  for (auto& word : request.arguments)
    word = replaced(std::move(word), "${local_rank}", std::to_string(spawn.local_rank));
  request.environment = worker_environment(
      spec_,
      {.local_rank = spawn.local_rank,
       .generation = spawn.generation,
       .master_port = port_,
       .run_dir = run_dir_,
       .notify_socket = notify_prefix(private_dir_) + std::to_string(spawn.local_rank),
       .error_file = error_files_.place(spawn.local_rank),
       .faults = change.worker_faults,
       .nccl = nccl_settings(spawn),
       .hide_devices = change.hide_devices,
       .columns = terminal ? terminal->columns : 0,
       .lines = terminal ? terminal->rows : 0},
      environ);
  if (const auto rank = static_cast<std::size_t>(spawn.local_rank); rank < spec_.places.size()) {
    request.cpus = spec_.places[rank].cpus;
    request.memory_nodes = spec_.places[rank].nodes;
  }
  request.traceable = spec_.traceable;
  request.stdin_fd = spec_.options.stdin_rank == spawn.local_rank ? STDIN_FILENO : dev_null_.get();
  return request;
}

NcclSettings WorkerStarter::nccl_settings(const core::SpawnWorker& spawn) const {
  NcclSettings settings{.ras_address = ras_address_, .records_flight = spec_.may_hang};
  if (!settings.records_flight) return settings;
  settings.trace_pipes = trace_pipes(private_dir_);
  // Elsewhere PyTorch's own place is better: a trace that it writes by itself outlives the run.
  if (!error_files_.kept()) return settings;
  const std::string dir = hang_dir(run_dir_, spawn.generation, std::to_string(spawn.local_rank));
  std::error_code failed;  // then the trace is lost, which PyTorch reports
  std::filesystem::create_directories(dir, failed);
  settings.trace_prefix = trace_prefix(dir);
  return settings;
}

}  // namespace ddp
