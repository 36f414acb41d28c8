// Makes the page and the trace of a run: convert EVENTS report.html trace.json
#include "launcher/base/write_file.hpp"
#include "launcher/page/page.hpp"
#include "launcher/trace/trace.hpp"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto trace = ddp::trace::of_events(argv[1]);
  for (const auto& failure : {ddp::page::write_report(argv[1], argv[2]),
                              trace ? ddp::write_whole_file(argv[3], *trace) : trace.error()}) {
    if (failure.empty()) continue;
    std::fprintf(stderr, "%s\n", failure.c_str());
    return 1;
  }
}
