#include "common/line_pattern.hpp"

#include <regex.h>

#include <algorithm>

namespace ddp {
namespace {

constexpr std::size_t kSearched = 4096;  // bytes of a line

}  // namespace

struct LinePattern::Compiled {
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (valid) ::regfree(&regex);
  }
  // REG_STARTEND (BSD's, glibc's and musl's alike) takes the length: a line may hold NUL bytes and
  // ends with none.
  bool run(std::string_view line, regmatch_t* match, std::size_t matches) const {
    match[0].rm_so = 0;
    match[0].rm_eo = static_cast<regoff_t>(std::min(line.size(), kSearched));
    return ::regexec(&regex, line.data(), matches, match, REG_STARTEND) == 0;
  }
  regex_t regex{};
  bool valid = false;
};

Result<LinePattern> LinePattern::compile(const std::string& expression) {
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

bool LinePattern::found_in(std::string_view line) const {
  regmatch_t match[1];
  return compiled_->run(line, match, 1);
}

std::string LinePattern::extract(std::string_view line) const {
  regmatch_t match[2];
  if (!compiled_->run(line, match, 2)) return {};
  const auto& part = compiled_->regex.re_nsub > 0 && match[1].rm_so >= 0 ? match[1] : match[0];
  return std::string(line.substr(static_cast<std::size_t>(part.rm_so),
                                 static_cast<std::size_t>(part.rm_eo - part.rm_so)));
}

}  // namespace ddp
