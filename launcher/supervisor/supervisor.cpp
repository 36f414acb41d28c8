#include "launcher/supervisor/supervisor.hpp"

#include "launcher/os/child_output.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/mechanism.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

namespace ddp {
namespace {

// After the last process of an attempt has exited its output is at hand in the pipes; only a
// console that is not read makes this wait.
std::chrono::milliseconds drain_wait() {
  return os::is_off(os::Mechanism::draining) ? std::chrono::milliseconds(500)
                                             : std::chrono::seconds(5);
}

control::LaunchDescription launch_description(const Supervisor::Deps& deps) {
  const auto& options = deps.options;
  std::error_code failed;  // then it stays relative
  const auto kept = std::filesystem::absolute(deps.run_dir, failed);
  return {.run_id = options.rendezvous.run_id,
          .pid = ::getppid(),
          .ranks = options.ranks,
          .command = options.workers.command,
          .log_dir = deps.run_dir == deps.private_dir ? ""
                     : failed                         ? deps.run_dir
                                                      : kept.string(),
          .began = deps.loop.now()};
}

}  // namespace

Supervisor::Supervisor(Deps deps)
    : deps_(std::move(deps)),
      group_(deps_.options.group),
      ras_(environ),
      error_files_(deps_.run_dir, deps_.private_dir, deps_.options.ranks.nproc),
      exceptions_(error_files_, deps_.router, publisher()),
      progress_(deps_.options.ranks, events_),
      diagnosis_({.loop = deps_.loop,
                  .users = deps_.options.diagnosis.signatures,
                  .files = error_files_,
                  .router = deps_.router,
                  .program = deps_.options.workers.command.front(),
                  .run_dir = deps_.run_dir,
                  .publish = publisher()}),
      recorder_(deps_.options.ranks, deps_.options.faults.plan, deps_.options.output, events_,
                deps_.private_dir),
      reporter_(launch_facts(deps_.options), deps_.options.faults.plan, deps_.router, events_,
                recorder_, progress_),
      waits_(deps_.loop, group_, deps_.workers, reporter_),
      faults_(deps_.loop, deps_.options.ranks, deps_.options.faults.plan, deps_.router,
              deps_.workers, publisher()),
      hangs_(deps_.loop, deps_.options.ranks, deps_.options.hangs, deps_.router, deps_.workers,
             {.run_dir = deps_.run_dir,
              .keeps_files = !deps_.options.output.log_dir.empty(),
              .trace_pipes = trace_pipes(deps_.private_dir),
              .ras_address = ras_.text(),
              .ask_ras = deps_.ask_ras},
             publisher()),
      starter_(deps_.loop, worker_spec(deps_.options), deps_.router, deps_.workers, faults_,
               error_files_, deps_.run_dir, deps_.private_dir, ras_.text(), publisher()),
      controller_({.loop = deps_.loop,
                   .group = group_,
                   .progress = progress_.progress(),
                   .router = deps_.router,
                   .workers = deps_.workers,
                   .faults = faults_,
                   .launch = launch_description(deps_),
                   .stop = deps_.stop,
                   .publish = publisher()}),
      checks_(deps_.loop, deps_.workers, worker_spec(deps_.options), deps_.options.preflight.check,
              deps_.run_dir, publisher()),
      device_wait_(deps_.loop, deps_.workers, deps_.options.ranks,
                   os::program_next_to_this("ddp-devices"), publisher()),
      observers_{&exceptions_, &progress_, &recorder_, &diagnosis_, &reporter_, &waits_},
      deadline_timer_(deps_.loop.make_timer()) {
  observers_.insert(observers_.end(), deps_.observers.begin(), deps_.observers.end());
  observers_.insert(observers_.end(), {&device_wait_, &controller_, &faults_, &hangs_});
}

core::Publish Supervisor::publisher() {
  return [this](const core::Event& event) { publish(event); };
}

void Supervisor::publish(const core::Event& event) {
  const auto now = deps_.loop.now();
  for (auto* observer : observers_) observer->on(event, now);
  if (std::holds_alternative<core::WorkerLine>(event)) return;  // the group acts on none
  if (stepping_) return queue_.push_back(event);
  stepping_ = true;
  step(event);
  while (!queue_.empty()) {
    const core::Event next = std::move(queue_.front());
    queue_.pop_front();
    step(next);
  }
  stepping_ = false;
  arm();
}

void Supervisor::step(const core::Event& event) {
  for (const auto& action : group_.step(event, deps_.loop.now())) {
    std::visit(
        [this](const auto& one) {
          if constexpr (requires { carry_out(one); }) carry_out(one);
        },
        action);
    const auto now = deps_.loop.now();
    for (auto* observer : observers_) observer->on(action, now);
    if (std::holds_alternative<core::Finish>(action)) finish();
  }
}

void Supervisor::arm() {
  const auto deadline = group_.next_deadline();
  if (deadline == armed_) return;
  armed_ = deadline;
  deadline_timer_->cancel();
  if (!deadline) return;
  deadline_timer_->at(*deadline, [this] {
    armed_.reset();
    publish(core::Tick{});
  });
}

void Supervisor::notified(core::LocalRank rank, const NotifyMessage& message) {
  if (message.digest) publish(core::WorkerDigest{rank, *message.digest});
  if (message.ready) publish(core::WorkerReady{rank});
  if (message.watchdog) publish(core::WorkerHeartbeat{rank});
  if (message.total_steps) publish(core::WorkerTotalSteps{rank, *message.total_steps});
  // The step first: a phase is entered within it.
  if (message.step) {
    core::WorkerStep step{rank, *message.step};
    for (const auto& [name, value] : message.metrics) {
      if (name == kBusySeconds) step.busy_seconds = value;
      if (name == kLoss) step.loss = value;
    }
    publish(step);
  }
  if (message.phase) publish(core::WorkerPhase{rank, *message.phase});
  if (!message.fault) return;
  if (const auto id = fault::parse_injection_id(*message.fault))
    publish(core::WorkerInjects{rank, *id});
}

void Supervisor::suspend() {
  const auto duration =
      deps_.workers.suspend([this](core::LocalRank rank) { return faults_.keeps_stopped(rank); });
  publish(core::Suspended{duration});
}

void Supervisor::carry_out(const core::BeginGeneration& begin) {
  if (begin.generation > 0) deps_.discard_queued();
  deps_.workers.begin();
  publish(core::GenerationBegan{begin.generation, starter_.begin(begin.generation)});
}

void Supervisor::carry_out(const core::EndChecks&) {
  device_wait_.end();
  checks_.end();
}

void Supervisor::carry_out(const core::SpawnWorker& spawn) { starter_.start(spawn); }

void Supervisor::carry_out(const core::SignalWorker& signal) {
  const auto [rank, number] = signal;
  if (number == SIGKILL) {
    // Its first process alone: EndGeneration follows, examines the rest, and kills and names it.
    deps_.workers.signal_process(rank, number);
  } else if (number == SIGCONT) {
    deps_.workers.signal(rank, number);
  } else {
    deps_.workers.stop(rank, number);
  }
}

void Supervisor::carry_out(const core::SignalRest& rest) { deps_.workers.stop_rest(rest.signal); }

void Supervisor::carry_out(const core::AwaitDescendants& await) {
  deps_.workers.await_descendants(
      [this, await] { publish(core::DescendantsGone{await.generation}); });
}

void Supervisor::carry_out(const core::EndGeneration& end) {
  deps_.workers.end(
      deps_.loop.now() + os::final_wait(), end.at_once,
      [this](std::vector<core::Survivor> survivors, std::vector<core::Leftover> killed) {
        publish(core::ProcessesGone{survivors, killed});
        core::GenerationEnded ended{std::move(survivors), std::move(killed)};
        deps_.router.end_generation(deps_.loop.now() + drain_wait(),
                                    [this, ended = std::move(ended)] {
                                      starter_.end();
                                      publish(ended);
                                    });
      });
}

void Supervisor::carry_out(const core::TeardownBegan& teardown) {
  starter_.cancel();
  deps_.workers.stop_began(teardown.signal);
}

void Supervisor::finish() {
  deps_.clear();
  // The report may still be on its way to a slow console.
  deps_.router.end_generation(deps_.loop.now() + drain_wait(),
                              [this] { exit_code_ = reporter_.exit_code(); });
}

}  // namespace ddp
