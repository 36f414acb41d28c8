// Python's tracebacks as they are printed, and what only looks like one.
#include "launcher/report/traceback.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace ddp;
using Lines = std::vector<std::string>;

Lines split(const std::string& text) {
  Lines lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The exception's line; "none".
std::string found(const std::string& output) {
  const auto exception = find_traceback(split(output));
  return exception ? exception->text : "none";
}

const std::string kHead = "Traceback (most recent call last):\n";
const std::string kFrame =
    "  File \"/home/u/train.py\", line 12, in main\n    load(shard)\n    ^^^^^^^^^^^\n";

}  // namespace

TEST_CASE("an uncaught exception is its type and message") {
  const auto exception =
      find_traceback(split("step 1\n" + kHead + kFrame + "ValueError: bad data in shard 7\n"));
  REQUIRE(exception);
  CHECK(exception->text == "ValueError: bad data in shard 7");
  CHECK_FALSE(exception->recorded);
  CHECK(exception->traceback == split(kHead + kFrame + "ValueError: bad data in shard 7\n"));
}

TEST_CASE("every form of an exception's line is read") {
  for (const std::string line :
       {"KeyboardInterrupt", "torch.cuda.OutOfMemoryError: CUDA out of memory.", "struct.error: x",
        "__main__.main.<locals>.Custom: x", "_pickle.UnpicklingError: invalid load key, 'x'.",
        "KeyError: 'a: b'", "bdb.BdbQuit", "Fehlermü: x"}) {
    CAPTURE(line);
    CHECK(found(kHead + kFrame + line + "\n") == line);
  }
  CHECK(found(kHead + kFrame + "AssertionError: \n") == "AssertionError");
  CHECK(found(kHead + kFrame + "AssertionError") == "AssertionError");  // no newline at the end
  CHECK(found(kHead + kFrame + "ValueError: one\ntwo\nthree\n") == "ValueError: one");
  CHECK(found(kHead + "  [Previous line repeated 996 more times]\n" + kFrame +
              "RecursionError: maximum recursion depth exceeded\n") ==
        "RecursionError: maximum recursion depth exceeded");
  const auto cut = found(kHead + kFrame + "ValueError: " + std::string(5000, 'x') + "\n");
  CHECK(cut.size() == kExceptionBytes);
  CHECK(cut.ends_with("x..."));
}

TEST_CASE("of chained exceptions the last one counts") {
  const std::string first = kHead + kFrame + "KeyError: 'lr'\n\n";
  const std::string last = kHead + kFrame + "RuntimeError: no learning rate\n";
  for (const std::string link :
       {"During handling of the above exception, another exception occurred:\n\n",
        "The above exception was the direct cause of the following exception:\n\n"}) {
    CHECK(found(first + link + last) == "RuntimeError: no learning rate");
  }
}

TEST_CASE("a syntax error of the program has no header") {
  const std::string error =
      "  File \"/home/u/train.py\", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n";
  CHECK(found(error) == "SyntaxError: invalid syntax");
  CHECK(found(kHead + kFrame + error) == "SyntaxError: invalid syntax");
  CHECK(found("  File \"train.py\", line 3\n    x = 1\nIndentationError: unexpected indent\n") ==
        "IndentationError: unexpected indent");
  CHECK(found("  File \"train.py\", line 3\nfoo\n") == "none");
  CHECK(found("  File \"train.py\", line 3\n") == "none");
}

TEST_CASE("an exception group is named, not one of its members") {
  CHECK(found("  + Exception Group Traceback (most recent call last):\n"
              "  |   File \"a.py\", line 1, in <module>\n"
              "  |     raise ExceptionGroup(\"two\", [ValueError(1), TypeError(2)])\n"
              "  | ExceptionGroup: two (2 sub-exceptions)\n"
              "  +-+---------------- 1 ----------------\n"
              "    | Traceback (most recent call last):\n"
              "    |   File \"a.py\", line 1, in f\n"
              "    | ValueError: 1\n"
              "    +---------------- 2 ----------------\n"
              "    | TypeError: 2\n"
              "    +------------------------------------\n") ==
        "ExceptionGroup: two (2 sub-exceptions)");
}

TEST_CASE("prefixes, colours, carriage returns and progress bars do not hide a traceback") {
  CHECK(found("[rank12]: Traceback (most recent call last):\n"
              "[rank12]:   File \"train.py\", line 3, in <module>\n"
              "[rank12]:     main()\n"
              "[rank12]: ValueError: bad\n") == "ValueError: bad");
  CHECK(found(" 50%|#####     | 5/10 [00:01<00:01]" + kHead + kFrame + "ValueError: bad\n") ==
        "ValueError: bad");
  CHECK(found("Traceback (most recent call last):\r\n  File \"t.py\", line 3, in f\r\n"
              "ValueError: bad\r\n") == "ValueError: bad");
  CHECK(found("\x1b[31mTraceback (most recent call last):\x1b[0m\n"
              "  File \x1b[35m\"t.py\"\x1b[0m, line \x1b[35m3\x1b[0m, in f\n"
              "\x1b[1;35mValueError\x1b[0m: \x1b[35mbad\x1b[0m\n") == "ValueError: bad");
  CHECK(found(kHead + kFrame +
              "ValueError: a\x1b]0;title\x07"
              "b\xff\n") == "ValueError: a ]0;title b\xEF\xBF\xBD");
}

TEST_CASE("output of others within and after a traceback is ignored") {
  CHECK(found(kHead + "loss: 0.5\nINFO: saving\n" + kFrame + "step 7 done\n" + kFrame +
              "ValueError: bad\n" + "terminate called without an active exception\n") ==
        "ValueError: bad");
  CHECK(found(kHead + kFrame + "ValueError: bad\nException ignored in: <function X.__del__>\n" +
              kHead + kFrame + "AttributeError: gone\n") == "ValueError: bad");
  CHECK(found(kHead + kFrame + "ValueError: bad\nError in atexit._run_exitfuncs:\n" + kHead +
              kFrame + "OSError: closed\n") == "ValueError: bad");
}

TEST_CASE("a data loader's own exception is preferred to the one that carries it") {
  CHECK(found(kHead + kFrame + "ValueError: Caught ValueError in DataLoader worker process 0.\n" +
              "Original " + kHead + kFrame + "ValueError: bad data in shard 7\n\n") ==
        "ValueError: bad data in shard 7");
  CHECK(found(kHead + kFrame +
              "torch.multiprocessing.spawn.ProcessRaisedException: \n\n"
              "-- Process 1 terminated with the following error:\n" +
              kHead + kFrame + "ValueError: bad\n\n") == "ValueError: bad");
}

TEST_CASE("what is no traceback of the program's exit is not claimed") {
  CHECK(found("") == "none");
  CHECK(found("ValueError: bad\n") == "none");
  CHECK(found("log: no Traceback (most recent call last) today\nValueError: x\n") == "none");
  CHECK(found(kHead) == "none");
  CHECK(found(kHead + "ValueError: without a frame\n") == "none");
  CHECK(found(kHead + kFrame) == "none");
  CHECK(found(kHead + kFrame + "and then it went on\n") == "none");
  for (const std::string mark :
       {"Exception in thread Thread-1 (f):\n", "Process SpawnProcess-1:\n",
        "--- Logging error ---\n", "Exception ignored in: <generator object f at 0x7f>\n"}) {
    CAPTURE(mark);
    CHECK(found(mark + kHead + kFrame + "ValueError: bad\n") == "none");
  }
  // Handled, and the program continued.
  std::string after;
  for (int i = 0; i <= kLinesAfterTraceback; ++i) after += "step " + std::to_string(i) + "\n";
  CHECK(found(kHead + kFrame + "ValueError: bad\n" + after) == "none");
  const std::string last = kHead + kFrame + "OSError: last\n";
  CHECK(found(kHead + kFrame + "ValueError: bad\n" + after + last) == "OSError: last");
  // Control: a long message with indented lines belongs to the exception.
  std::string message;
  for (int i = 0; i < 40; ++i) message += "\tsize mismatch for layer " + std::to_string(i) + "\n";
  CHECK(found(kHead + kFrame + "RuntimeError: Error(s) in loading state_dict for Net:\n" +
              message) == "RuntimeError: Error(s) in loading state_dict for Net:");
}

TEST_CASE("of a long traceback the last frames are kept, in lines of bounded length") {
  std::string text = kHead;
  for (int i = 0; i < 300; ++i)
    text += "  File \"t.py\", line " + std::to_string(i) + ", in f\n    f(" +
            std::string(5000, 'x') + ")\n";
  const auto exception = find_traceback(split(text + "RecursionError: too deep\n"));
  REQUIRE(exception);
  const auto& lines = exception->traceback;
  CHECK(lines.size() <= kTracebackLines);
  CHECK(lines.size() >= kTracebackLines - 4);
  CHECK(lines[0] + "\n" == kHead);
  CHECK(lines[1] == "  ...");
  CHECK(lines[2].starts_with("  File \"t.py\", line 29"));
  CHECK(lines.back() == "RecursionError: too deep");
  for (const auto& line : lines) CHECK(line.size() <= kExceptionBytes);
}

TEST_CASE("the stack of C++ that an exception's message ends with does not hide it") {
  std::string output = kHead + kFrame +
                       "RuntimeError: NCCL error\nException raised from f at a.cpp:3 (most recent "
                       "call first):\n";
  for (int i = 0; i < 30; ++i) output += "frame #" + std::to_string(i) + ": c10::f + 0x1\n";
  CHECK(found(output) == "RuntimeError: NCCL error");
  // Control: as many lines of anything else follow only where the program went on.
  std::string log = kHead + kFrame + "RuntimeError: NCCL error\n";
  for (int i = 0; i < 30; ++i) log += "step " + std::to_string(i) + "\n";
  CHECK(found(log) == "none");
}
