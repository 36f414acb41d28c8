// Which faults are planned.
#pragma once

#include "launcher/core/group/restart_policy.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/output/options.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"
#include "launcher/workers/device_type.hpp"

#include <span>

namespace ddp {

struct FaultOptions {
  core::FaultPlan plan;  // of --inject, --faults or --replay; without faults: none
};

// The launch that the faults are planned for: some faults can never be triggered in it.
struct FaultedLaunch {
  core::RankGroup ranks;
  DeviceType device_type;
  const core::RestartPolicy& restart;
  const OutputOptions& output;
};

// "Faults" in --help: all but the flags of reports and campaigns.
std::span<const FlagSpec> fault_flags();
Failure read_faults(const SettingsReader& reader, const FaultedLaunch& launch,
                    FaultOptions& options);

}  // namespace ddp
