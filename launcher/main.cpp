// Room: launcher. The program: one of --help, --dry-run, a campaign, or a launch under its keeper.
// Includes: common, launcher/base, launcher/campaign, launcher/cli, launcher/core, launcher/events,
// launcher/keeper, launcher/os, launcher/output, launcher/page, launcher/placement,
// launcher/preflight, launcher/report, launcher/supervisor, launcher/workers. Included by: no
// other.
//
// ddp-launch: reads the command line, then becomes the keeper of a supervisor
// (launcher/keeper/keeper.hpp).

#include "common/write_all.hpp"
#include "launcher/base/log.hpp"
#include "launcher/campaign/options.hpp"
#include "launcher/campaign/runner.hpp"
#include "launcher/cli/options.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/keeper/keeper.hpp"
#include "launcher/os/limits.hpp"
#include "launcher/os/proc.hpp"
#include "launcher/os/run_dir.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/output/colour.hpp"
#include "launcher/page/page.hpp"
#include "launcher/placement/bind.hpp"
#include "launcher/preflight/preflight.hpp"
#include "launcher/preflight/read_facts.hpp"
#include "launcher/preflight/table.hpp"
#include "launcher/report/run_result.hpp"
#include "launcher/report/summary_json.hpp"
#include "launcher/supervisor/supervise.hpp"
#include "launcher/workers/device_list.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

// Opens /dev/null for a stdin, stdout or stderr that is closed, so that no pipe gets its number.
void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) ::open("/dev/null", O_RDWR);
  }
}

// Checks the expectations of a run whose supervisor died: its record is lost, its exit code is
// known.
int evaluate_without_supervisor(const ddp::Options& options, const std::string& run_dir,
                                const std::string& log_dir, int code,
                                std::chrono::steady_clock::time_point began) {
  ddp::EventLog events(ddp::events_path(log_dir), nullptr, options.report.campaign_events);
  ddp::core::RunRecord record(options.ranks.first_rank());
  std::vector<ddp::core::FaultTally> planned;
  for (const auto& spec : options.faults.plan.faults) planned.push_back({spec});
  record.lost(code, std::ssize(ddp::os::processes_of_launch(run_dir)), std::move(planned));
  const auto result = ddp::evaluate(ddp::launch_facts(options), options.faults.plan, record, events,
                                    began, std::chrono::steady_clock::now());
  ddp::write_all(STDERR_FILENO, result.text);
  return result.exit_code;
}

// Writes the page of the run next to its events. A failure is a line for the user, and nothing
// more.
void write_page(const std::string& log_dir) {
  const auto events = ddp::events_path(log_dir);
  std::error_code unknown;
  // A launch that was refused at its start has no events, and that they were removed is reported.
  const auto size = std::filesystem::file_size(events, unknown);
  if (unknown || size == 0) return;
  const auto failure = ddp::page::write_report(events, log_dir + "/report.html");
  if (!failure.empty()) ddp::log::write(ddp::log::Level::warn, "no report.html: " + failure);
}

// Prints text that was asked for, such as --help. Returns the exit code.
int print(const std::string& text) {
  if (ddp::write_all(STDOUT_FILENO, text)) return ddp::core::kSuccess;
  ddp::write_all(STDERR_FILENO,
                 std::string("ddp-launch: cannot write to stdout: ") + std::strerror(errno) + "\n");
  return ddp::core::kSystemRefused;
}

// Whether the launcher can find all processes of a group. If not, prints one line that says why.
bool can_contain() {
  if (ddp::os::proc_is_ours()) return true;
  ddp::write_all(
      STDERR_FILENO,
      "ddp-launch: /proc is not mounted or shows another PID namespace, so nothing is started "
      "(with unshare, use --mount-proc)\n");
  return false;
}

// This machine with its network: the ranks that start here must reach the rendezvous.
ddp::Machine networked_machine() {
  using namespace ddp;
  Machine machine = this_machine();
  machine.network = {
      .look_up = [](const std::string& name) { return os::look_up(name); },
      .is_own_address = os::is_own_address,
      .port_is_in_use = os::port_is_in_use,
      .users_of_port = os::users_of_port,
  };
  return machine;
}

ddp::PreflightRequest preflight_request(const ddp::Options& options) {
  const ddp::WorkerOptions& workers = options.workers;
  auto chosen = workers.devices;
  const char* const variable = ddp::visible_devices_variable(workers.device_type);
  const char* const visible = variable != nullptr ? std::getenv(variable) : nullptr;
  if (chosen.empty() && visible != nullptr) chosen = ddp::read_visible_devices(visible);
  return {.nproc = options.ranks.nproc,
          .command = workers.command,
          .device_type = ddp::name_of(workers.device_type),
          .devices = workers.visible_devices,
          .share_devices = workers.share_devices,
          .chosen = std::move(chosen),
          .bound = !options.places.empty(),
          .log_dir = options.output.log_dir,
          .get_env = [](const char* name) { return std::getenv(name); }};
}

// --preflight. Returns the exit code.
int preflight(const ddp::Options& options) {
  using namespace ddp;
  auto facts = read_facts(preflight_request(options));
  const auto port = options.rendezvous.master_port;
  facts.rendezvous = Rendezvous{
      .place = options.rendezvous.master_addr + (port ? ":" + std::to_string(*port) : ""),
      .refused = options.preflight.refused,
      .warnings = options.preflight.warnings};
  const auto findings = judge(facts);
  const int code = print(preflight_table(findings));
  return code != core::kSuccess ? code : preflight_exit_code(findings);
}

// What is certain to fail, for a launch to warn of.
std::vector<ddp::core::Finding> certain_trouble(const ddp::Options& options) {
  auto findings = ddp::judge(ddp::read_quick_facts(preflight_request(options)));
  std::erase_if(findings, [](const auto& finding) { return !finding.certain; });
  return findings;
}

// --bind and --report-bindings.
std::optional<ddp::ExitNow> choose_places(ddp::Options& options) {
  auto bound = ddp::bind_ranks({.options = options.placement,
                                .ranks = options.ranks,
                                .workers = options.workers,
                                .get_env = [](const char* name) { return std::getenv(name); },
                                .dry_run = options.dry_run});
  if (auto* leave = std::get_if<ddp::ExitNow>(&bound)) return std::move(*leave);
  auto& [places, report, warnings] = std::get<ddp::Bound>(bound);
  ddp::write_all(STDERR_FILENO, report);
  options.places = std::move(places);
  options.warnings.insert(options.warnings.end(), warnings.begin(), warnings.end());
  return std::nullopt;
}

int run_campaign(int argc, char** argv) {
  using namespace ddp;
  auto parsed = campaign::parse_campaign(argc, argv);
  if (const auto* refused = std::get_if<ExitNow>(&parsed)) {
    ddp::write_all(STDERR_FILENO, refused->text);
    return refused->code;
  }
  const auto& campaign = std::get<campaign::Campaign>(parsed);
  if (campaign.dry_run) return print(campaign::dry_run_text(campaign));
  if (!can_contain()) return core::kSystemRefused;
  log::start("ddp-launch", log::Level::warn, out::wants_colour(STDERR_FILENO));
  return campaign::run(campaign);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ddp;
  open_standard_descriptors();
  os::take_over_signals();
  os::raise_descriptor_limit();

  if (campaign::is_campaign(argc, argv)) return run_campaign(argc, argv);

  auto parsed = parse_options(argc, argv, networked_machine());
  if (const auto* leave = std::get_if<ExitNow>(&parsed)) {
    if (leave->code == 0) return print(leave->text);
    ddp::write_all(STDERR_FILENO, leave->text);
    return leave->code;
  }
  Options& options = std::get<Options>(parsed);
  if (const auto leave = choose_places(options)) {
    ddp::write_all(STDERR_FILENO, leave->text);
    return leave->code;
  }
  if (options.dry_run) return print(dry_run_table(options, environ));
  if (options.preflight.only) return preflight(options);
  if (!can_contain()) return core::kSystemRefused;

  log::start("ddp-launch", options.log_level, out::wants_colour(STDERR_FILENO));
  for (const std::string& warning : options.warnings) log::write(log::Level::warn, warning);
  for (const std::string& note : options.notes) log::write(log::Level::info, note);
  const auto run_dir = os::make_run_dir();
  if (!run_dir) {
    ddp::write_all(STDERR_FILENO, "ddp-launch: " + run_dir.error() + "\n");
    return core::kSystemRefused;
  }
  if (options.output.needs_log_dir) {
    auto made = os::make_scratch_dir();
    if (!made) {
      ddp::write_all(STDERR_FILENO, "ddp-launch: " + made.error() + "\n");
      os::remove_run_dir(*run_dir);
      return core::kSystemRefused;
    }
    options.output.log_dir = std::move(*made);
  }
  // Before the fork, because both processes write there. A campaign makes the directories of its
  // runs.
  const os::LogDir log_dir = os::make_log_dir(options.output.log_dir, options.rendezvous.run_id,
                                              !options.report.campaign_events.empty());
  // At the end of a long run it is late to learn that nothing was kept.
  if (!log_dir.failure.empty()) {
    ddp::write_all(STDERR_FILENO,
                   "ddp-launch: cannot make the log directory: " + log_dir.failure + "\n");
    os::remove_run_dir(*run_dir);
    if (options.output.needs_log_dir) os::remove_run_dir(options.output.log_dir);
    return core::kSystemRefused;
  }
  options.findings = certain_trouble(options);
  for (const auto& finding : options.findings)
    log::write(log::Level::warn, preflight_line(finding));
  const os::LaunchResources resources{*run_dir, os::Cgroup::make_leaf()};
  const auto began = std::chrono::steady_clock::now();
  const os::LaunchEnd end =
      os::keep(resources, [&](os::ScopedFd from_keeper, os::ScopedFd signals) {
        return supervise(options, resources, log_dir, std::move(from_keeper), std::move(signals));
      });
  // A supervisor that exited normally has checked the expectations itself.
  const bool asked = options.faults.plan.expect || !options.report.junit.empty();
  const int code = end.supervisor_died && asked
                       ? evaluate_without_supervisor(options, resources.run_dir, log_dir.path,
                                                     end.exit_code, began)
                       : end.exit_code;
  if (end.supervisor_died && options.report.json_summary)
    ddp::write_all(STDOUT_FILENO,
                   summary_json_without_record(launch_facts(options), code,
                                               std::chrono::steady_clock::now() - began) +
                       "\n");
  if (!log_dir.path.empty() && !options.output.needs_log_dir) write_page(log_dir.path);
  return code;
}
