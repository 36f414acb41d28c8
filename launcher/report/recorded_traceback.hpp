// A traceback that holds nothing but an exception, as a rank recorded it, cut for the report. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ddp {

struct RecordedTraceback {
  // The exception that the last traceback ends with, as exception_line() has it. Empty: there is
  // none.
  std::string exception;
  // It is the exception of a data loader's process, which says more than the loader's own.
  bool in_data_loader = false;
  // Plain, at most kTracebackLines: the exception that caused the last one, the last frames, the
  // exception and its message as far as there is room. Of a group without room, the frames of the
  // members are left out.
  std::vector<std::string> lines;
};

RecordedTraceback recorded_traceback(std::span<const std::string> lines);

// A line of a frame, with the margin of a group or of its member.
bool is_group_frame(std::string_view line);

}  // namespace ddp
