// The timeline and the curves as a picture (SVG), for a page without script and for paper.
#pragma once

#include "launcher/page/chart.hpp"
#include "launcher/page/html.hpp"

namespace ddp::page {

void add_picture(Html& html, const Chart& chart);

}  // namespace ddp::page
