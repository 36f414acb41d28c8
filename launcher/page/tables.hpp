// The tables of the page. Each is left out where there is nothing to show.
#pragma once

#include "launcher/history/history.hpp"
#include "launcher/page/html.hpp"

namespace ddp::page {

void add_failures(Html& html, const history::History& history);
void add_expectations(Html& html, const history::History& history);
// Faults, hangs, stragglers and the rest, in the order of time.
void add_occurrences(Html& html, const history::History& history);
void add_last_lines(Html& html, const history::History& history);
void add_run(Html& html, const history::History& history);

}  // namespace ddp::page
