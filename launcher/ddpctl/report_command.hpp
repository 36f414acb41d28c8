// `ddpctl report` and `ddpctl trace`: what a run was, from its events.jsonl alone.
#pragma once

#include "common/result.hpp"
#include "launcher/ddpctl/commands.hpp"

#include <string>

namespace ddp::ctl {

// Makes the page (Verb::report) or the trace (Verb::trace) of the run in `where`: an events.jsonl,
// or the directory that has it. The run may have finished, have been killed, or go on.
//
// `output` is a file, which appears whole or not at all; "-": none; empty: report.html or
// trace.json next to the events. Returns what stdout is to show: the path of the file, or with "-"
// the page or trace itself. The error is one line with the path.
Result<std::string> make_record(Verb verb, const std::string& where, const std::string& output);

}  // namespace ddp::ctl
