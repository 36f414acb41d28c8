#include "launcher/diagnosis/match.hpp"

#include "launcher/diagnosis/line_filter.hpp"
#include "launcher/diagnosis/line_matcher.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace ddp::diagnosis {
namespace {

template <class Values, class Value>
bool has(const Values& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool status_matches(const Signature& signature, const Facts& facts) {
  if (!signature.has_status()) return true;
  if (!facts.status) return false;
  if (const auto* exited = std::get_if<core::Exited>(&*facts.status))
    return has(signature.exit_codes, exited->code);
  return has(signature.signals, std::get<core::Signaled>(*facts.status).signal);
}

// The first of `lines` that one of `conditions` is found in.
const std::string* first_found(std::span<const LineCondition> conditions,
                               const std::vector<std::string>& lines) {
  LineMatcher matcher(conditions);
  const auto line = std::find_if(lines.begin(), lines.end(),
                                 [&](const std::string& one) { return matcher.found_in(one); });
  return line != lines.end() ? &*line : nullptr;
}

core::Diagnosis made_from(const Signature& signature, std::string evidence, bool from_kernel) {
  return {.signature = std::string(signature.name),
          .cause = std::string(signature.cause),
          .remedy = std::string(signature.remedy),
          .evidence = std::move(evidence),
          .from_kernel = from_kernel,
          .witness = std::nullopt};
}

// `possible`: LineFilter's of the lines of `facts`.
std::optional<core::Diagnosis> first_match(std::span<const Signature> signatures,
                                           const Facts& facts, const std::vector<bool>& possible,
                                           bool consequence) {
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const auto& signature = signatures[i];
    std::string evidence;
    bool from_kernel = false;
    if (possible[i] && signature.consequence == consequence &&
        matches(signature, facts, evidence, from_kernel))
      return made_from(signature, std::move(evidence), from_kernel);
  }
  return std::nullopt;
}

}  // namespace

bool matches(const Signature& signature, const Facts& facts, std::string& evidence,
             bool& from_kernel) {
  if (!status_matches(signature, facts)) return false;
  if (!signature.system.empty() &&
      std::none_of(signature.system.begin(), signature.system.end(),
                   [&](SystemFact fact) { return has(facts.system, fact); }))
    return false;
  if (!signature.lines.empty()) {
    const auto* const line = first_found(signature.lines, facts.lines);
    if (line == nullptr) return false;
    evidence = *line;
  }
  if (!signature.kernel.empty()) {
    if (!facts.kernel) return false;
    const auto log = facts.kernel();
    const auto* const line = first_found(signature.kernel, log);
    if (line == nullptr) return false;
    evidence = *line;
    from_kernel = true;
  }
  return true;
}

std::optional<core::Diagnosis> diagnose(std::span<const Signature> signatures, const Facts& root,
                                        const std::function<std::vector<Witness>()>& witnesses) {
  const LineFilter filter(signatures);
  const auto possible = filter.possible(root.lines);
  if (auto found = first_match(signatures, root, possible, false)) return found;
  for (auto& witness : witnesses()) {
    const Facts facts{witness.status, std::move(witness.lines), {}, {}};
    auto found = first_match(signatures, facts, filter.possible(facts.lines), false);
    // How a victim ended follows from the root cause: only its lines say something.
    if (!found || found->evidence.empty()) continue;
    found->witness = witness.local_rank;
    return found;
  }
  return first_match(signatures, root, possible, true);
}

Facts facts_of(const Signature& signature, const Sample& sample) {
  Facts facts{core::Exited{1},
              sample.lines,
              [lines = sample.kernel] { return lines; },
              {signature.system.begin(), signature.system.end()}};
  if (!signature.exit_codes.empty()) {
    facts.status = core::Exited{signature.exit_codes.front()};
  } else if (!signature.signals.empty()) {
    facts.status = core::Signaled{signature.signals.front(), false};
  }
  return facts;
}

}  // namespace ddp::diagnosis
