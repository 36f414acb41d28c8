// Room: launcher/page. The page of a run, report.html.
// Includes: common, launcher/base, launcher/history. Included by: launcher, launcher/ddpctl.
//
// One file that needs no network: the verdict, a timeline, curves, tables and the ranks' last
// lines, from the run's events. Without script the page shows all of it, the timeline as a picture;
// with script the timeline can be zoomed.
//
// A worker can write what it likes into its lines, exceptions and names. All of that goes through
// Html::text or script_json, and the page's policy lets run no script but its one.
#pragma once

#include "common/result.hpp"
#include "launcher/history/history.hpp"

#include <string>

namespace ddp::page {

// `nonce` marks the page's script: letters and digits that no worker knows in advance.
std::string html(const history::History& history, const std::string& nonce);

// The page of the run in `events` (events.jsonl). The error is one line that names the path and the
// reason.
Result<std::string> report(const std::string& events);

// Writes it to `output`, whole or not at all. Returns
// an empty string, or one line that names the path and the reason.
std::string write_report(const std::string& events, const std::string& output);

}  // namespace ddp::page
