// Which local ranks, and which streams of them: torchrun's notation.
#pragma once

#include "launcher/output/options.hpp"
#include "launcher/settings/settings.hpp"

#include <vector>

namespace ddp {

// -r and -t: "0" … "3" for every rank (1 stdout, 2 stderr, 3 both), or a map "0:3,11:1" whose
// unmentioned ranks are 0. One entry a local rank.
Result<std::vector<out::StreamSet>> parse_stream_map(const Setting& setting, int nproc);

// "0,2" or "0-3,6": true for each local rank named. At least one is.
Result<std::vector<bool>> parse_rank_list(const Setting& setting, int nproc);

}  // namespace ddp
