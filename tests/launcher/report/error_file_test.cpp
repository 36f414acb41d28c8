// Error files as PyTorch writes them, and anything else that may be in their place.
#include "launcher/report/error_file.hpp"

#include "launcher/report/traceback.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace ddp;

std::string file(const std::string& message, const std::string& callstack) {
  return R"({"message": {"message": ")" + message + R"(", "extraInfo": {"py_callstack": ")" +
         callstack + R"(", "timestamp": "1700000000"}}})";
}

const std::string kCallstack =
    R"(Traceback (most recent call last):\n  File \"t.py\", line 3, in main\n    f()\nValueError: bad\n)";

std::string text_of(const std::string& json) {
  const auto exception = parse_error_file(json);
  return exception ? exception->text : "none";
}

}  // namespace

TEST_CASE("a recorded exception is its type, message and traceback") {
  const auto exception = parse_error_file(file("ValueError: bad", kCallstack));
  REQUIRE(exception);
  CHECK(exception->text == "ValueError: bad");
  CHECK(exception->recorded);
  CHECK(exception->traceback == std::vector<std::string>{"Traceback (most recent call last):",
                                                         "  File \"t.py\", line 3, in main",
                                                         "    f()", "ValueError: bad"});
}

TEST_CASE("other writers' forms are read as far as they go") {
  CHECK(text_of(R"({"message": "text"})") == "text");
  CHECK(text_of(R"({"message": "one\ntwo", "timestamp": 1})") == "one");
  CHECK(text_of(R"({"message": {"message": "SIGSEGV", "errorCode": -11}})") == "SIGSEGV");
  CHECK(text_of(R"({"message": {"message": "E", "extraInfo": {"py_callstack": 3}}})") == "E");
  CHECK(text_of(R"({"message": {"message": "E", "extraInfo": []}})") == "E");
  CHECK(text_of(R"({"message": {"message": "ValueError: "}})") == "ValueError");
  CHECK(text_of(file("ValueError: one\\ntwo", "")) == "ValueError: one");
  CHECK(text_of(file("", kCallstack)) == "ValueError: bad");
  const auto native = parse_error_file(file("Fault: x", R"(#0 main\n#1 start\n)"));
  REQUIRE(native);
  CHECK(native->traceback == std::vector<std::string>{"#0 main", "#1 start"});
}

TEST_CASE("a recorded exception keeps all lines of its message, and its cause") {
  using Lines = std::vector<std::string>;
  const auto traceback = [](const std::string& callstack) {
    const auto exception = parse_error_file(file("RuntimeError: Error(s) in loading", callstack));
    REQUIRE(exception);
    return exception->traceback;
  };
  const std::string frames =
      R"(Traceback (most recent call last):\n  File \"t.py\", line 3\n    f()\n)";
  CHECK(traceback(frames + R"(RuntimeError: Error(s) in loading\n\tMissing key(s): \"w\".\n)") ==
        Lines{"Traceback (most recent call last):", "  File \"t.py\", line 3", "    f()",
              "RuntimeError: Error(s) in loading", " Missing key(s): \"w\"."});
  const std::string chained = R"(KeyError: 'shard'\n\nThe above exception was the cause:\n\n)";
  const auto both = traceback(frames + chained + frames + R"(RuntimeError: x\n)");
  CHECK(std::count(both.begin(), both.end(), "KeyError: 'shard'") == 1);

  // Too much for the report: the cause, the last frames and the start of the message are kept.
  std::string deep = R"(Traceback (most recent call last):\n)";
  for (int i = 0; i < 50; ++i) deep += R"(  File \"t.py\", line 3\n    f()\n)";
  std::string message = "RuntimeError: x";
  for (int i = 0; i < 50; ++i) message += R"(\n\tMissing key)" + std::to_string(i);
  const auto cut = traceback(deep + chained + deep + message + R"(\n)");
  CHECK(cut.size() == kTracebackLines);
  CHECK(cut[0] == "KeyError: 'shard'");
  CHECK(cut[2] == "Traceback (most recent call last):");
  CHECK(cut[3] == "  ...");
  CHECK(std::count(cut.begin(), cut.end(), "RuntimeError: x") == 1);
  CHECK(cut.back() == "  ...");
}

TEST_CASE("a data loader's exception is named after the one in its process") {
  CHECK(text_of(file("ValueError: Caught ValueError in DataLoader worker process 0.",
                     R"(Traceback (most recent call last):\n  File \"t.py\", line 3\n    f()\n)"
                     R"(ValueError: Caught ValueError in DataLoader worker process 0.\n)"
                     R"(Original Traceback (most recent call last):\n  File \"w.py\", line 1\n)"
                     R"(    g()\nValueError: shard 7 is torn\n)")) ==
        "ValueError: shard 7 is torn");
}

// A recorded traceback that is too long for the report.
std::vector<std::string> cut_traceback(const std::string& callstack) {
  const auto exception = parse_error_file(file("E: x", callstack));
  REQUIRE(exception);
  CHECK(exception->traceback.size() <= kTracebackLines);
  return exception->traceback;
}

TEST_CASE("the exception's line and the last frame outlast a long traceback") {
  for (int frames = 1; frames < 40; ++frames) {
    CAPTURE(frames);
    for (int more = 0; more < 3; ++more) {
      std::string deep = R"(Traceback (most recent call last):\n)";
      for (int i = 1; i <= frames; ++i)
        deep += R"(  File \"t.py\", line )" + std::to_string(i) + R"(\n    f()\n)";
      deep += R"(ValueError: bad\n)";
      for (int i = 0; i < more; ++i) deep += R"(more\n)";
      const auto cut = cut_traceback(deep);
      const auto from_end = [&](int lines) { return cut[cut.size() - 1 - std::size_t(lines)]; };
      CHECK(from_end(more) == "ValueError: bad");
      CHECK(from_end(more + 1) == "    f()");
      CHECK(from_end(more + 2) == "  File \"t.py\", line " + std::to_string(frames));
      CHECK(std::count(cut.begin(), cut.end(), "  ...") == (cut[1] == "  ..." ? 1 : 0));
      if (cut[1] == "  ...") CHECK(cut[2].starts_with("  File "));
    }
  }
}

TEST_CASE("a data loader's exception keeps the frames of its process") {
  std::string frames;
  for (int i = 0; i < 9; ++i) frames += R"(  File \"t.py\", line 3\n    f()\n)";
  const std::string callstack =
      R"(Traceback (most recent call last):\n)" + frames +
      R"(ValueError: Caught ValueError in DataLoader worker process 0.\n)"
      R"(Original Traceback (most recent call last):\n)" +
      frames + R"(  File \"w.py\", line 1\n    g()\nValueError: shard 7 is torn\n)";
  const auto cut = cut_traceback(callstack);
  CHECK(cut[0] == "ValueError: Caught ValueError in DataLoader worker process 0.");
  CHECK(cut[1] == "Original Traceback (most recent call last):");
  CHECK(cut[cut.size() - 3] == "  File \"w.py\", line 1");
  CHECK(cut.back() == "ValueError: shard 7 is torn");
  // However many lines its message has.
  std::string message;
  for (int i = 0; i < 20; ++i) message += R"(sample\n)";
  CHECK(text_of(file("ValueError: Caught ValueError in DataLoader worker process 0.",
                     callstack + message)) == "ValueError: shard 7 is torn");
}

TEST_CASE("a group's members are named, however deep their frames are") {
  std::string group = R"(  + Exception Group Traceback (most recent call last):\n)";
  for (int i = 0; i < 12; ++i) group += R"(  |   File \"t.py\", line 3\n  |     f()\n)";
  group += R"(  | ExceptionGroup: two (2 sub-exceptions)\n)";
  for (const std::string member : {"ValueError: 1", "TypeError: 2"}) {
    group += R"(  +-+---------------- 1 ----------------\n)";
    group += R"(    | Traceback (most recent call last):\n)";
    for (int i = 0; i < 12; ++i) group += R"(    |   File \"m.py\", line 3\n    |     g()\n)";
    group += "    | " + member + "\\n";
  }
  const auto cut = cut_traceback(group + R"(    +------------------------------------\n)");
  const auto has = [&](const std::string& line) {
    return std::count(cut.begin(), cut.end(), line) == 1;
  };
  CHECK(has("  |   File \"t.py\", line 3") == false);  // some of them
  CHECK(has("  | ExceptionGroup: two (2 sub-exceptions)"));
  CHECK(has("    | ValueError: 1"));
  CHECK(has("    | TypeError: 2"));
}

TEST_CASE("a cause whose message has many lines is named by its first") {
  std::string deep = R"(Traceback (most recent call last):\n)";
  for (int i = 0; i < 12; ++i) deep += R"(  File \"t.py\", line 3\n    f()\n)";
  std::string cause = R"(KeyError: first\n)";
  for (int i = 0; i < 9; ++i) cause += R"(more\n)";
  const auto cut = cut_traceback(deep + cause + R"(\nThe cause:\n\n)" + deep + "RuntimeError: x");
  CHECK(cut[0] == "KeyError: first");
  CHECK(cut[1] == "The cause:");
  CHECK(cut[2] == "Traceback (most recent call last):");
  CHECK(cut.back() == "RuntimeError: x");
}

TEST_CASE("malformed and incomplete files say nothing") {
  const std::string whole = file("ValueError: bad", kCallstack);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(text_of(whole.substr(0, size)) == "none");
  }
  CHECK(text_of(whole + whole) == "none");  // two writers
  for (const std::string json :
       {"", "null", "[]", "3", "\"text\"", "{}", R"({"message": null})", R"({"message": ""})",
        R"({"message": []})", R"({"message": {}})", R"({"message": {"message": 3}})",
        R"({"message": {"message": " \n\t"}})", R"({"Message": "text"})"}) {
    CAPTURE(json);
    CHECK(text_of(json) == "none");
  }
  CHECK(text_of(std::string(100'000, '[')) == "none");
  CHECK(text_of(R"({"message": )" + std::string(100'000, '[')) == "none");
  CHECK(text_of(std::string("\0\x01\xff{", 4)) == "none");
}

TEST_CASE("a file is read up to its limit, and a line is cut") {
  const auto sized = [](std::size_t bytes) {
    const std::string empty = file("ValueError: ", "");
    return file("ValueError: " + std::string(bytes - empty.size(), 'x'), "");
  };
  const auto text = text_of(sized(kErrorFileBytes));
  CHECK(text.size() == kExceptionBytes);
  CHECK(text.ends_with("..."));
  CHECK(text_of(sized(kErrorFileBytes + 1)) == "none");
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "frame " + std::string(100, 'y') + "\\n";
  const auto exception = parse_error_file(file("E: x", lines));
  REQUIRE(exception);
  CHECK(exception->traceback.size() == kTracebackLines);
}

TEST_CASE("nothing that a terminal acts on is left in a message") {
  CHECK(text_of(file("E: \\u001b[2J\\u0007x\\u0000y\\u009bz", "")) == "E:  x y z");
  CHECK(text_of(file("E: a\xff\xc3", "")) == "E: a\xEF\xBF\xBD\xEF\xBF\xBD");
  // Python's way to write a byte that is no UTF-8, and a character beyond the 16-bit range.
  CHECK(text_of(file("E: \\udcff", "")) == "E: \xEF\xBF\xBD");
  CHECK(text_of(file("E: \\ud83d", "")) == "E: \xEF\xBF\xBD");
  CHECK(text_of(file("E: \\ud83d\\ude00 \\\\udcff", "")) == "E: \xF0\x9F\x98\x80 \\udcff");
  const auto exception = parse_error_file(file("E: x", "\\u001b[31mred\\u001b]0;t\\u0007"));
  REQUIRE(exception);
  CHECK(exception->traceback == std::vector<std::string>{"red ]0;t"});
}

TEST_CASE("what is written for the launcher above is read back") {
  core::RankException exception{.text = "ValueError: \"bad\"\xff", .traceback = {"a", "b\\"}};
  const std::string json = error_file_text(exception, -11, 1700000000);
  const auto back = parse_error_file(json);
  REQUIRE(back);
  CHECK(back->text == "ValueError: \"bad\"\xEF\xBF\xBD");
  CHECK(back->traceback == exception.traceback);
  CHECK(json.find(R"("errorCode":-11)") != std::string::npos);
  CHECK(json.find(R"("timestamp":"1700000000")") != std::string::npos);
}
