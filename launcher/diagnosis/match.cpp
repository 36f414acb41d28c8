#include "launcher/diagnosis/match.hpp"

#include <string.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace ddp::diagnosis {
namespace {

constexpr std::size_t kSearched = 4096;  // bytes of a line, as LinePattern

template <class Values, class Value>
bool has(const Values& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// memmem takes linear time for any text, unlike string_view::find.
bool contains(const std::string& line, const std::string& text) {
  return ::memmem(line.data(), std::min(line.size(), kSearched), text.data(), text.size()) !=
         nullptr;
}

bool status_matches(const Signature& signature, const Facts& facts) {
  if (!signature.has_status()) return true;
  if (!facts.status) return false;
  if (const auto* exited = std::get_if<core::Exited>(&*facts.status))
    return has(signature.exit_codes, exited->code);
  return has(signature.signals, std::get<core::Signaled>(*facts.status).signal);
}

bool found_in(const std::vector<LinePattern>& patterns, const std::string& line) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const LinePattern& pattern) { return pattern.found_in(line); });
}

core::Diagnosis made_from(const Signature& signature, std::string evidence, bool from_kernel) {
  return {.signature = signature.name,
          .cause = signature.cause,
          .remedy = signature.remedy,
          .evidence = std::move(evidence),
          .from_kernel = from_kernel,
          .witness = std::nullopt};
}

std::optional<core::Diagnosis> first_match(std::span<const Signature> signatures,
                                           const Facts& facts, bool consequence) {
  for (const auto& signature : signatures) {
    std::string evidence;
    bool from_kernel = false;
    if (signature.consequence == consequence && matches(signature, facts, evidence, from_kernel))
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
  if (signature.has_lines()) {
    const auto line =
        std::find_if(facts.lines.begin(), facts.lines.end(), [&](const std::string& one) {
          return std::any_of(signature.texts.begin(), signature.texts.end(),
                             [&](const std::string& text) { return contains(one, text); }) ||
                 found_in(signature.patterns, one);
        });
    if (line == facts.lines.end()) return false;
    evidence = *line;
  }
  if (!signature.kernel.empty()) {
    if (!facts.kernel) return false;
    const auto log = facts.kernel();
    const auto line = std::find_if(log.begin(), log.end(), [&](const std::string& one) {
      return found_in(signature.kernel, one);
    });
    if (line == log.end()) return false;
    evidence = *line;
    from_kernel = true;
  }
  return true;
}

std::optional<core::Diagnosis> diagnose(std::span<const Signature> signatures, const Facts& root,
                                        const std::function<std::vector<Witness>()>& witnesses) {
  if (auto found = first_match(signatures, root, false)) return found;
  for (auto& witness : witnesses()) {
    const Facts facts{witness.status, std::move(witness.lines), {}, {}};
    auto found = first_match(signatures, facts, false);
    // How a victim ended follows from the root cause: only its lines say something.
    if (!found || found->evidence.empty()) continue;
    found->witness = witness.local_rank;
    return found;
  }
  return first_match(signatures, root, true);
}

Facts facts_of(const Signature& signature, const Sample& sample) {
  Facts facts{core::Exited{1}, sample.lines, [lines = sample.kernel] { return lines; },
              signature.system};
  if (!signature.exit_codes.empty()) {
    facts.status = core::Exited{signature.exit_codes.front()};
  } else if (!signature.signals.empty()) {
    facts.status = core::Signaled{signature.signals.front(), false};
  }
  return facts;
}

}  // namespace ddp::diagnosis
