// Makes the page and the trace of a run: convert EVENTS report.html trace.json
#include "launcher/page/page.hpp"
#include "launcher/trace/trace.hpp"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  for (const auto& failure :
       {ddp::page::write_report(argv[1], argv[2]), ddp::trace::write_trace(argv[1], argv[3])}) {
    if (failure.empty()) continue;
    std::fprintf(stderr, "%s\n", failure.c_str());
    return 1;
  }
}
