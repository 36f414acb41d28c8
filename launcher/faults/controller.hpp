// Room: launcher/faults. Carries out the faults that the engine asks for.
// Includes: common/faults, launcher/core, launcher/core/faults, launcher/core/group,
// launcher/core/record, launcher/os, launcher/output, launcher/plan, launcher/settings,
// launcher/workers. Included by: launcher/cli, launcher/control, launcher/report,
// launcher/supervisor.
//
// The faults of a run: joins the fault engine's decisions with the system calls that carry them
// out.
//
// A fault is published as triggered before it is carried out, so that events.jsonl has it first,
// and both are over when the event that triggered it has been passed on: a worker whose step
// triggered it gets its BARRIER=1 answered only then. Without faults nothing is armed.
//
// Undone: at the end of its time ("for"); at the teardown (stop, slow, block-output); with the
// attempt (port-taken); everything else lives in the process that has the fault and ends with it,
// whoever kills the launcher (launcher/os/fault_effects.hpp).
#pragma once

#include "launcher/core/faults/engine.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/faults/injector.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/workers.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ddp {

class FaultController final : public core::Observer {
 public:
  // All borrowed.
  FaultController(os::Loop& loop, const core::RankGroup& ranks, const core::FaultPlan& plan,
                  out::Router& router, Workers& workers, core::Publish publish);
  ~FaultController() override;

  void on(const core::Event& event, core::TimePoint now) override;
  void on(const core::Action& action, core::TimePoint now) override;

  // What became of a fault that is added while the run goes on.
  enum class Added { injected, refused, waits, elsewhere };
  // Adds a fault, which is injected at once if its moment has come. Not for one that the worker
  // injects itself: it is handed those at its start.
  Added add(const fault::Spec& spec);

  // What is different about the start of the worker that is due (WorkerDue).
  SpawnChange take_change(core::LocalRank local_rank);
  // Whether a fault has stopped it: then `fg` after Ctrl-Z does not continue it.
  bool keeps_stopped(core::LocalRank local_rank) const;

  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStarted& started, core::TimePoint now);
  void apply(const core::WorkerExited& exited, core::TimePoint now);
  void apply(const core::GenerationEnded& ended, core::TimePoint now);

 private:
  struct Lasting {
    int fault = 0;
    fault::Kind kind = fault::Kind::stop;
    core::LocalRank local_rank = 0;
  };

  void carry_out(const core::FaultActions& actions);
  void carry_out(const core::Injection& injection);
  void carry_out(const core::UndoFault& undo);
  void carry_out(const core::ThrottleTick& tick);
  void close_lasting(std::string_view by, const std::function<bool(const Lasting&)>& is_over);
  void want_lines();
  void arm();

  os::Loop& loop_;
  out::Router& router_;
  core::Publish publish_;
  FaultInjector injector_;
  std::unique_ptr<os::Timer> timer_;
  std::optional<core::TimePoint> armed_;
  core::FaultEngine engine_;
  const bool planned_;  // otherwise workers are handed no plan
  bool active_;         // there is a fault
  std::optional<core::FaultInjected> last_;
  std::shared_ptr<void> lines_;  // keeps the lines coming, where a fault waits for one
  std::vector<Lasting> lasting_;
  std::string_view undone_by_ = "time";
  SpawnChange change_;  // of the worker whose start is being considered
};

}  // namespace ddp
