// The last lines of a rank's output, in which Python's traceback is recognised.
#include "launcher/report/traceback.hpp"

#include "common/utf8.hpp"
#include "tests/fuzz/fuzz.hpp"

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto exception = ddp::find_traceback(ddp::fuzz::lines_of(ddp::fuzz::text_of(data, size)));
  if (!exception) return 0;
  require(!exception->text.empty() && exception->text.size() <= ddp::kExceptionBytes,
          "an exception is one short line");
  require(ddp::is_utf8(exception->text) && !ddp::has_control(exception->text),
          "an exception is plain text");
  require(exception->traceback.size() <= ddp::kTracebackLines, "a traceback is bounded");
  for (const auto& line : exception->traceback)
    require(line.size() <= ddp::kExceptionBytes && ddp::is_utf8(line) && !ddp::has_control(line),
            "a traceback is plain text in short lines");
  return 0;
}
