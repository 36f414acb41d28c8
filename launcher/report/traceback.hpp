// Recognises the traceback that Python prints when an exception ends it. Pure.
#pragma once

#include "launcher/core/exception.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ddp {

// An exception's line is cut there; of its traceback this many lines are kept.
inline constexpr std::size_t kExceptionBytes = 300;
inline constexpr std::size_t kTracebackLines = 20;
inline constexpr std::string_view kTracebackHeader = "Traceback (most recent call last):";

// The exception that the last traceback in `lines` ends with: the last lines of a program's output.
// None where something else follows that traceback: more than kLinesAfterTraceback lines that are
// neither indented nor part of it. Then the program handled the exception and continued.
//
// Not counted are tracebacks that do not end a program: of threads, of child processes, of
// destructors ("Exception ignored in"), of logging and exit handlers.
inline constexpr int kLinesAfterTraceback = 10;
std::optional<core::RankException> find_traceback(std::span<const std::string> lines);

// "ValueError: bad data" of "ValueError: bad data\nmore": the first line with text, plain and at
// most kExceptionBytes long. Empty: there is none.
std::string exception_line(std::string_view text);

// "ValueError: text", "torch.cuda.OutOfMemoryError: text", "main.<locals>.Custom", "ValueError".
bool is_exception_line(std::string_view line);

// Without the "[rank3]: " that PyTorch's exception hook begins each line with,
// however often.
std::string_view without_rank(std::string_view line);

}  // namespace ddp
