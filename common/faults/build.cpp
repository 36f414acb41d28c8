// From the words of a spec to its meaning: every check that needs no column.
#include "common/faults/spec.hpp"
#include "common/faults/values.hpp"

#include <algorithm>
#include <array>

namespace ddp::fault {
namespace {

std::string allowed_words(const KindInfo& row) {
  std::string text;
  for (int i = 0; i < kWords; ++i) {
    if (!(row.words & (1u << i))) continue;
    if (!text.empty()) text += ", ";
    text += name_of(static_cast<Word>(i));
  }
  return text;
}

std::string allowed_faults() {
  std::string text;
  for (const auto& row : kinds()) text += (text.empty() ? "" : ", ") + std::string(row.name);
  return text;
}

// Words that mean the same twice or contradict each other; the error names the later one.
const char* const kIntervalAlone = "an interval replaces step, phase, after, ready and line";
bool clashes(Word a, Word b) {
  const auto interval = [](Word word) { return word == Word::every || word == Word::mtbf; };
  const auto moment = [](Word word) {
    return word == Word::step || word == Word::phase || word == Word::after ||
           word == Word::ready || word == Word::line;
  };
  return (interval(a) && (moment(b) || interval(b))) || (moment(a) && interval(b));
}

}  // namespace

std::variant<Spec, BuildError> build(std::span<const RawWord> words, int world_size) {
  if (words.empty() || words[0].name.empty())
    return BuildError{0, false, "expected a fault: " + allowed_faults()};
  const auto row = std::find_if(kinds().begin(), kinds().end(),
                                [&](const KindInfo& info) { return words[0].name == info.name; });
  if (row == kinds().end())
    return BuildError{0, false, "'" + words[0].name + "': expected " + allowed_faults()};

  Spec spec;
  spec.kind = row->kind;
  if (words[0].value) {
    if (auto refusal = read_value(*row, *words[0].value, spec.value); !refusal.empty())
      return BuildError{0, true, "'" + *words[0].value + "': " + refusal};
  } else if (row->value_required) {
    Value unused;
    return BuildError{0, false,
                      "'" + words[0].name + "' needs a value (" + words[0].name +
                          "=…): " + read_value(*row, "", unused)};
  }

  std::array<bool, kWords> seen{};
  for (std::size_t i = 1; i < words.size(); ++i) {
    int word = 0;
    while (word < kWords && words[i].name != name_of(static_cast<Word>(word))) ++word;
    if (word == kWords || !(row->words & (1u << word))) {
      return BuildError{
          i, false,
          "'" + words[i].name + "': expected " + allowed_words(*row) +
              (word == kWords ? "" : ", which is what " + std::string(row->name) + " takes")};
    }
    auto& here = seen[static_cast<std::size_t>(word)];
    if (here) return BuildError{i, false, "'" + words[i].name + "' is given twice"};
    here = true;
    for (int other = 0; other < kWords; ++other) {
      if (other != word && seen[static_cast<std::size_t>(other)] &&
          clashes(static_cast<Word>(word), static_cast<Word>(other))) {
        return BuildError{i, false,
                          "'" + words[i].name + "' cannot be combined with '" +
                              name_of(static_cast<Word>(other)) + "': " + kIntervalAlone};
      }
    }
    if (!words[i].value) {
      if (static_cast<Word>(word) == Word::ready) {  // "ready" alone: as soon as it is
        spec.ready = Nanoseconds::zero();
        continue;
      }
      return BuildError{i, false,
                        "'" + words[i].name + "' needs a value (" + words[i].name + "=…)"};
    }
    if (auto refusal = read_word(static_cast<Word>(word), *words[i].value, world_size, spec);
        !refusal.empty())
      return BuildError{i, true, "'" + *words[i].value + "': " + refusal};
  }
  if (row->side == Side::worker) {
    // A worker counts only steps.
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto& interval = words[i].name == "every" ? spec.every : spec.mtbf;
      if ((words[i].name == "every" || words[i].name == "mtbf") &&
          std::holds_alternative<Nanoseconds>(*interval))
        return BuildError{i, true, "'" + *words[i].value + "': expected steps such as 25steps"};
    }
  }
  return spec;
}

}  // namespace ddp::fault
