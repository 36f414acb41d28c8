#include "launcher/metrics/exposition.hpp"

#include "launcher/metrics/text_format.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ddp::metrics {
namespace {

using core::GroupState;
using core::RankState;

constexpr RankState kRankStates[] = {RankState::waiting, RankState::started, RankState::ready,
                                     RankState::exited};
constexpr GroupState kGroupStates[] = {GroupState::starting, GroupState::running,
                                       GroupState::stopping, GroupState::waiting,
                                       GroupState::finished};

double seconds(core::Nanoseconds time) { return std::chrono::duration<double>(time).count(); }
double seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

// Every state with 0 or 1, so that a series of each exists from the beginning.
template <class State, std::size_t N>
void states(TextFormat& out, const std::string& labels, const State (&all)[N], State now) {
  for (const State one : all) {
    const std::string state = label("state", core::name_of(one));
    out.sample(labels.empty() ? state : labels + "," + state, one == now);
  }
}

void add_run(TextFormat& out, const View& view) {
  const auto& facts = view.facts;
  out.family("ddp_launch_build_info", "gauge", "Always 1; the version of ddp-launch");
  out.sample(label("version", facts.version), true);
  out.family("ddp_launch_run_info", "gauge", "Always 1; what was launched");
  out.sample(label("program", facts.program) + "," +
                 label("nproc", std::to_string(facts.ranks.nproc)) + "," +
                 label("nnodes", std::to_string(facts.ranks.nnodes)) + "," +
                 label("node_rank", std::to_string(facts.ranks.node_rank)),
             true);
  out.family("ddp_launch_run_start_time_seconds", "gauge", "When the run began, as Unix time");
  out.sample("", seconds(view.began));
  if (view.end) {
    out.family("ddp_launch_run_end_time_seconds", "gauge", "When the run ended, as Unix time");
    out.sample("", seconds(view.end->at));
    out.family("ddp_launch_run_exit_code", "gauge", "With which code ddp-launch exits");
    out.sample("", std::int64_t{view.end->exit_code});
  }
}

void add_group(TextFormat& out, const View& view) {
  const auto& progress = view.progress;
  const auto& counts = view.counts;
  out.family("ddp_launch_ranks", "gauge", "Ranks of the run on this machine");
  out.sample("", std::int64_t{view.facts.ranks.nproc});
  out.family("ddp_launch_group_state", "gauge", "1 for what the group does now, 0 for the rest");
  states(out, "", kGroupStates, progress.state());
  out.family("ddp_launch_generation", "gauge", "Number of the attempt, from 0");
  out.sample("", std::int64_t{progress.generation()});
  out.family("ddp_launch_restarts_total", "counter", "Restarts of the group, requested ones too");
  out.sample("", std::int64_t{counts.restarts()});
  out.family("ddp_launch_restarts_left", "gauge", "Failures after which the group may restart");
  out.sample("", std::int64_t{counts.restarts_left(view.now)});
  if (const auto at = progress.step()) {
    out.family("ddp_launch_step", "gauge", "Last step that every reporting rank has finished");
    out.sample("", at->step);
  }
  if (const auto total = progress.total_steps()) {
    out.family("ddp_launch_planned_steps", "gauge", "Step with which the program is done");
    out.sample("", *total);
  }
}

void add_failures(TextFormat& out, const Counts& counts) {
  out.family("ddp_launch_failures_total", "counter", "Failures of the group, by root cause");
  for (const auto& [cause, count] : counts.failures())
    out.sample(label("cause", cause), static_cast<std::int64_t>(count));
  out.family("ddp_launch_failure_detection_seconds", "histogram",
             "From a fault, or the last progress of a hung group, to the detection");
  out.histogram("", counts.detection());
  out.family("ddp_launch_failure_restart_seconds", "histogram",
             "From the detection of a failure to the first worker of the next attempt");
  out.histogram("", counts.restart());
  out.family("ddp_launch_failure_recovery_seconds", "histogram",
             "From the detection of a failure to the first step of the next attempt");
  out.histogram("", counts.recovery());
  out.family("ddp_launch_faults_injected_total", "counter", "Faults injected on purpose");
  out.sample("", static_cast<std::int64_t>(counts.faults_injected()));
}

void add_goodput(TextFormat& out, const core::Goodput& goodput) {
  out.family("ddp_launch_goodput_seconds", "gauge", "What the time of the run went to");
  for (const auto& part : core::kGoodputParts) {
    auto name = part.name;
    name.remove_suffix(std::string_view("_ns").size());
    out.sample(label("part", name), seconds(goodput.*part.time));
  }
  out.family("ddp_launch_goodput_ratio", "gauge", "Share of the time that was training, 0 to 1");
  out.sample("", goodput.ratio());
}

void add_ranks(TextFormat& out, const View& view) {
  const auto& ranks = view.progress.ranks();
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < ranks.size(); ++i)
    labels.push_back(
        label("rank", core::to_string(view.facts.ranks.global(static_cast<core::LocalRank>(i)))));
  const auto each = [&](auto call) {
    for (std::size_t i = 0; i < ranks.size(); ++i) call(labels[i], ranks[i]);
  };
  out.family("ddp_launch_rank_up", "gauge", "Whether the rank's process runs, 1 or 0");
  each([&](const auto& rank, const auto& one) {
    out.sample(rank, one.state == RankState::started || one.state == RankState::ready);
  });
  out.family("ddp_launch_rank_state", "gauge", "1 for the state of the rank, 0 for the others");
  each([&](const auto& rank, const auto& one) { states(out, rank, kRankStates, one.state); });
  out.family("ddp_launch_rank_step", "gauge", "Last step that the rank reported");
  each([&](const auto& rank, const auto& one) {
    if (one.step) out.sample(rank, *one.step);
  });
  out.family("ddp_launch_rank_step_timestamp_seconds", "gauge", "When it did, as Unix time");
  each([&](const auto& rank, const auto& one) {
    if (one.step)
      out.sample(rank, seconds(view.began) + seconds(one.stepped - view.progress.began()));
  });
  out.family("ddp_launch_rank_loss", "gauge", "Last loss that the rank reported");
  each([&](const auto& rank, const auto& one) {
    if (one.loss) out.sample(rank, *one.loss);
  });
  out.family("ddp_launch_rank_step_seconds", "histogram", "Time per step, in all attempts");
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const auto& times = view.counts.steps(static_cast<core::LocalRank>(i));
    if (times.count > 0) out.histogram(labels[i], times);
  }
}

}  // namespace

std::string exposition(const View& view) {
  TextFormat out(label("run_id", view.facts.run_id));
  add_run(out, view);
  add_group(out, view);
  add_failures(out, view.counts);
  if (view.goodput) add_goodput(out, *view.goodput);
  add_ranks(out, view);
  return out.take();
}

}  // namespace ddp::metrics
