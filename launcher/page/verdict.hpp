// The head of the page: how the run ended and why, its figures and its goodput.
#pragma once

#include "launcher/history/history.hpp"
#include "launcher/page/html.hpp"

namespace ddp::page {

// "succeeded", "failed" or "unfinished": a word and a class of the page.
const char* state_of(const history::History& history);

void add_verdict(Html& html, const history::History& history);
void add_figures(Html& html, const history::History& history);
void add_goodput(Html& html, const core::Goodput& goodput);

}  // namespace ddp::page
