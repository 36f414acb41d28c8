#include "common/faults/line_pattern.hpp"

#include <regex.h>

#include <algorithm>
#include <string>
#include <vector>

namespace ddp {
namespace {

constexpr std::size_t kLargest = 1000;
constexpr int kDeepest = 4;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The position after the bracket expression that begins at `at`.
std::size_t after_bracket(std::string_view text, std::size_t at) {
  ++at;
  if (at < text.size() && text[at] == '^') ++at;
  if (at < text.size() && text[at] == ']') ++at;  // stands for itself here
  while (at < text.size() && text[at] != ']') {
    const char kind = at + 1 < text.size() ? text[at + 1] : '\0';
    if (text[at] == '[' && (kind == ':' || kind == '.' || kind == '=')) {
      const auto end = text.find(std::string{kind, ']'}, at + 2);
      if (end == std::string_view::npos) return text.size();
      at = end + 1;
    }
    ++at;
  }
  return at + 1;
}

// "{2,30}" at `at`: the largest number in it, and the position after it.
std::size_t repeated(std::string_view text, std::size_t& at) {
  std::size_t most = 1;
  std::size_t number = 0;
  for (++at; at < text.size() && (is_digit(text[at]) || text[at] == ','); ++at) {
    number =
        text[at] == ',' ? 0 : std::min(number * 10 + std::size_t(text[at] - '0'), kLargest + 1);
    most = std::max(most, number);
  }
  if (at < text.size() && text[at] == '}') ++at;
  return most;
}

// A part of an expression: its size after regcomp, which copies what is repeated, and how many
// repetitions are nested in it.
struct Part {
  std::size_t size = 0;
  int depth = 0;
};

Part joined(Part one, Part other) {
  return {std::min(one.size + other.size, kLargest + 1), std::max(one.depth, other.depth)};
}
void repeat(Part& part, std::size_t times) {
  part = {std::min(part.size * times + 1, kLargest + 1), part.depth + 1};
}

// Why regcomp must not get it. glibc's takes all memory for a line of "++++…" and minutes for two
// dozen nested "?"; what is accepted here takes it some hundredths of a second.
const char* refusal(std::string_view text) {
  std::vector<Part> outer;  // what comes before each group that is open
  Part before;
  Part last;  // what a repetition would repeat
  const auto next = [&](Part part) {
    before = joined(before, last);
    last = part;
  };
  for (std::size_t at = 0; at < text.size();) {
    switch (text[at]) {
      case '\\':
        if (at + 1 < text.size() && is_digit(text[at + 1]))
          return "no back-reference: matching one has no time limit";
        next({1, 0});
        at += 2;
        break;
      case '[':
        next({1, 0});
        at = after_bracket(text, at);
        break;
      case '(':
        next({});
        outer.push_back(before);
        before = {};
        ++at;
        break;
      case ')': {
        const Part group = joined(joined(before, last), {1, 0});
        before = outer.empty() ? Part{} : outer.back();
        if (!outer.empty()) outer.pop_back();
        last = group;
        ++at;
        break;
      }
      case '{':
        repeat(last, repeated(text, at));
        break;
      case '+':
        repeat(last, 2);
        ++at;
        break;
      case '*':
      case '?':
        repeat(last, 1);
        ++at;
        break;
      default:
        next({1, 0});
        ++at;
    }
    if (before.size + last.size > kLargest) return "its repetitions come to more than 1000 parts";
    if (last.depth > kDeepest) return "more than 4 repetitions within each other";
  }
  return nullptr;
}

}  // namespace

struct LinePattern::Compiled {
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (valid) ::regfree(&regex);
  }
  // REG_STARTEND (in BSD, glibc and musl) takes the length: a line may contain NUL bytes, and has
  // none at its end.
  bool run(std::string_view line, regmatch_t* match, std::size_t matches) const {
    match[0].rm_so = 0;
    match[0].rm_eo = static_cast<regoff_t>(std::min(line.size(), kSearched));
    return ::regexec(&regex, line.data(), matches, match, REG_STARTEND) == 0;
  }
  regex_t regex{};
  bool valid = false;
};

Result<LinePattern> LinePattern::compile(const std::string& expression) {
  if (const char* const why = refusal(expression)) return Error{why};
  auto compiled = std::make_shared<Compiled>();
  const int error = ::regcomp(&compiled->regex, expression.c_str(), REG_EXTENDED);
  if (error != 0) {
    char why[128];
    ::regerror(error, &compiled->regex, why, sizeof why);
    return Error{why};
  }
  compiled->valid = true;
  return LinePattern(std::move(compiled));
}

// The longest run of characters outside groups and brackets that no repetition may leave out.
// Bytes beyond ASCII end a run: it depends on the locale what a repetition behind one repeats.
std::string LinePattern::required_text(std::string_view text) {
  std::string longest;
  std::string run;
  int open = 0;
  const auto end_run = [&] {
    if (run.size() > longest.size()) longest = run;
    run.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '[') {
      end_run();
      at = after_bracket(text, at);
      continue;
    }
    if (c == '{') {
      if (!run.empty()) run.pop_back();
      end_run();
      repeated(text, at);
      continue;
    }
    ++at;
    if (c == '\\') {
      // A letter or one of <>`' makes an operator: a place, or a class of characters.
      const char escaped = at < text.size() ? text[at++] : '\0';
      if (open == 0 && std::string_view("()[]{}.*+?|^$\\/").find(escaped) != std::string_view::npos)
        run += escaped;
      else
        end_run();
    } else if (c == '(') {
      end_run();
      ++open;
    } else if (c == ')') {
      end_run();
      open = std::max(open - 1, 0);
    } else if (c == '*' || c == '?' || c == '+') {
      if (!run.empty()) run.pop_back();  // "+" too: another may follow it
      end_run();
    } else if (c == '|' && open == 0) {
      return {};
    } else if (c == '.' || c == '^' || c == '$' || c == '|' ||
               static_cast<unsigned char>(c) > 127) {
      end_run();
    } else if (open == 0) {
      run += c;
    }
  }
  end_run();
  return longest;
}

bool LinePattern::found_in(std::string_view line) const {
  regmatch_t match[1];
  return compiled_->run(line, match, 1);
}

}  // namespace ddp
