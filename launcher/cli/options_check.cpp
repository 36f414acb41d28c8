#include "launcher/cli/options_check.hpp"

#include "launcher/torchrun/options.hpp"

namespace ddp {
namespace {

Failure check_program(const std::vector<std::string>& command) {
  if (command.empty())
    return Error{
        "no program is given: expected ddp-launch [options] -- PROGRAM [arguments]; see "
        "ddp-launch --help"};
  if (command[0].empty())
    return Error{"the program is '': expected the name or path of an executable"};
  return std::nullopt;
}

Failure read_log_level(const SettingsReader& reader, log::Level& level) {
  const Setting* const setting = reader.given("--log-level");
  if (setting == nullptr) return std::nullopt;
  const auto parsed = log::parse_level(setting->what, setting->text);
  if (!parsed) return Error{parsed.error()};
  level = *parsed;
  return std::nullopt;
}

}  // namespace

Result<Options> check_options(const SettingsReader& reader, std::vector<std::string> command,
                              const Machine& machine) {
  Options o;
  o.workers.command = std::move(command);
  const Hardware hardware{machine.get_env, machine.root, machine.cpus};
  if (auto failure = check_program(o.workers.command)) return *failure;
  if (auto failure = read_workers(reader, hardware, o.ranks, o.workers)) return *failure;
  if (auto failure = read_program_kind(reader, o.program_kind)) return *failure;
  if (auto failure = read_placement(reader, o.placement)) return *failure;
  if (auto failure = read_preload(reader, o.preload)) return *failure;
  if (auto failure = read_rendezvous(reader, o.ranks, o.rendezvous, o.notes)) return *failure;
  if (auto failure = read_torchrun(reader, o.notes)) return *failure;
  if (auto failure = read_stdin(reader, o.ranks, o.workers)) return *failure;
  if (auto failure = read_run_id(reader, o.rendezvous)) return *failure;
  if (auto failure = read_output(reader, o.ranks.nproc, o.output)) return *failure;
  if (auto failure = read_log_level(reader, o.log_level)) return *failure;
  if (auto failure = read_restarts(reader, o.group.restart)) return *failure;
  if (auto failure = read_shutdown(reader, o.group, o.workers)) return *failure;
  const FaultedLaunch launch{o.ranks, o.workers.device_type, o.group.restart, o.output};
  if (auto failure = read_faults(reader, launch, o.faults)) return *failure;
  if (auto failure = read_summary(reader, o.report.json_summary)) return *failure;
  if (auto failure = read_junit(reader, o.report.junit)) return *failure;
  if (auto failure = metrics::read(reader, o.metrics)) return *failure;
  if (auto failure = read_diagnosis(reader, o.diagnosis)) return *failure;
  if (auto failure = read_hangs(reader, o.hangs)) return *failure;
  o.group.nproc = o.ranks.nproc;
  o.group.evidence_timeout = o.hangs.evidence_timeout;
  const bool has_devices =
      o.workers.device_type == DeviceType::cuda && o.workers.visible_devices > 0;
  if (auto failure = read_preflight(reader, o.preflight, has_devices, o.group)) return *failure;
  o.dry_run = reader.toggle("--dry-run");
  return o;
}

}  // namespace ddp
