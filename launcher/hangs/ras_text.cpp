#include "launcher/hangs/ras_text.hpp"

#include "launcher/hangs/ras_answer.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace ddp {
namespace {

// What a line says, taken from its start.
class Line {
 public:
  explicit Line(std::string_view text) : text_(text) {}

  // Past `expected`, if the line goes on with it.
  bool skip(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  template <class Number>
  std::optional<Number> number(int base = 10) {
    Number value = 0;
    const auto [stop, error] =
        std::from_chars(text_.data(), text_.data() + text_.size(), value, base);
    if (error != std::errc() || value < 0) return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(stop - text_.data()));
    return value;
  }
  std::string_view word() {
    const auto word = text_.substr(0, text_.find(' '));
    text_.remove_prefix(word.size());
    return word;
  }
  void skip_blanks() { text_.remove_prefix(std::min(text_.find_first_not_of(' '), text_.size())); }
  // What follows `marker`, wherever it is.
  std::optional<Line> after(std::string_view marker) const {
    const auto at = text_.find(marker);
    if (at == std::string_view::npos) return std::nullopt;
    return Line(text_.substr(at + marker.size()));
  }
  std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
};

enum class Section { none, incomplete, error, status, counts };

class Reader {
 public:
  void read(std::string_view text) {
    if (text.starts_with("Group ")) {
      table_ = true;
    } else if (text.empty()) {
      table_ = false;
    } else if (text.starts_with("#")) {
      table_ = false;
      open(Line(text.substr(1)));
    } else if (table_) {
      size(Line(text));
    } else if (communicator_ != nullptr && text.starts_with("  ")) {
      detail(Line(text.substr(2)));
    } else {
      communicator_ = nullptr;  // another section
    }
  }

  std::vector<core::RasCommunicator> take() {
    for (auto& communicator : communicators_) {
      for (auto& mismatch : communicator.mismatches) order_ras_counts(mismatch);
      std::erase_if(communicator.mismatches, [](const auto& one) { return one.counts.size() < 2; });
    }
    return std::move(communicators_);
  }

 private:
  // A row of the table of groups: number, communicators, nodes, ranks per node, ranks …
  void size(Line line) {
    line.skip_blanks();
    const auto group = line.number<int>();
    for (int column = 0; column < 3; ++column) {
      line.skip_blanks();
      line.word();
    }
    line.skip_blanks();
    const auto ranks = line.number<int>();
    if (group && ranks && sizes_.size() < kMostCommunicators) sizes_[*group] = *ranks;
  }

  // "#<group>-<number> (<hash>) <what>", without the "#".
  void open(Line line) {
    communicator_ = nullptr;
    section_ = Section::none;
    const auto group = line.number<int>();
    if (!group || !line.skip("-") || !line.number<int>() || !line.skip(" (")) return;
    const std::string_view hash = line.rest().substr(0, line.rest().find(')'));
    if (!line.skip(hash) || !line.skip(") ")) return;
    const std::string id = "0x" + ras_word(hash);
    auto found = std::find_if(communicators_.begin(), communicators_.end(),
                              [&](const auto& one) { return one.id == id; });
    if (found == communicators_.end()) {
      if (communicators_.size() == kMostCommunicators) return;
      communicators_.push_back({});
      found = communicators_.end() - 1;
      found->id = id;
      found->size = sizes_.contains(*group) ? sizes_[*group] : 0;
    }
    communicator_ = &*found;
    section_ = line.rest() == "INCOMPLETE" ? Section::incomplete
               : line.rest() == "ERROR"    ? Section::error
                                           : Section::none;  // of MISMATCH a line says which
  }

  void detail(Line line) {
    if (line.skip("Communicator ranks have different ")) {
      if (line.rest() == "status") {
        section_ = Section::status;
        left_ = false;
      } else if (communicator_->mismatches.size() < kMostRasOperations) {
        section_ = Section::counts;
        communicator_->mismatches.push_back({ras_word(line.word()), {}});
      } else {
        section_ = Section::none;
      }
    } else if (line.skip("Rank ")) {
      if (const auto number = line.number<int>()) rank(*number, line);
    } else if (line.skip("The missing rank") || line.skip("The unknown rank")) {
      list(line);  // NCCL 2.24 and 2.25
    } else if (const auto size = line.number<int>()) {
      group(*size, line);
    }
  }

  // "<size> ranks have launched up to operation 6650", "<size> ranks have status NOCOMM": the ranks
  // follow, if they are outliers.
  void group(int size, Line line) {
    if (section_ == Section::status) {
      left_ = line.skip(" ranks have status ") && is_left(line.rest());
    } else if (section_ == Section::counts && line.skip(" ranks have ")) {
      add_count(size, line);
    }
  }

  // The line after "Rank <number>".
  void rank(int number, Line line) {
    core::RasRank rank{.number = number, .pid = 0, .rank = {}};
    if (auto process = line.after(" managed by process "))
      rank.pid = process->number<int>().value_or(0);
    switch (section_) {
      case Section::none:
        break;
      case Section::incomplete:
        add(communicator_->missing, rank);
        break;
      case Section::error:
        add(communicator_->failed, rank);
        break;
      case Section::status:
        if (line.skip(" has status ")) left_ = is_left(line.word());
        if (left_) add(communicator_->left, rank);
        break;
      case Section::counts:
        if (line.skip(" has ")) add_count(1, line);
        if (auto& counts = communicator_->mismatches.back().counts; !counts.empty())
          add(counts.back().ranks, rank);
        break;
    }
  }

  // "s: 1,2" or ": 1".
  void list(Line line) {
    line.skip("s");
    if (!line.skip(": ")) return;
    while (const auto number = line.number<int>()) {
      add(section_ == Section::status ? communicator_->left : communicator_->missing,
          {.number = *number, .pid = 0, .rank = {}});
      if (!line.skip(",")) return;
    }
  }

  // "launched up to operation 41" or "not launched any operations".
  void add_count(int size, Line line) {
    auto& counts = communicator_->mismatches.back().counts;
    if (counts.size() == kMostRasRanks) return;
    const auto operations = line.skip("launched up to operation ") ? line.number<std::int64_t>()
                            : line.skip("not launched any ")       ? std::optional<std::int64_t>(0)
                                                                   : std::nullopt;
    if (operations) counts.push_back({static_cast<std::uint64_t>(*operations), size, {}});
  }

  static void add(std::vector<core::RasRank>& ranks, const core::RasRank& rank) {
    if (ranks.size() < kMostRasRanks) ranks.push_back(rank);
  }
  static bool is_left(std::string_view status) { return status == "NOCOMM" || status == "UNKNOWN"; }

  std::vector<core::RasCommunicator> communicators_;
  std::map<int, int> sizes_;  // by group
  core::RasCommunicator* communicator_ = nullptr;
  Section section_ = Section::none;
  bool left_ = false;  // the ranks of the present status are
  bool table_ = false;
};

}  // namespace

Result<std::vector<core::RasCommunicator>> parse_ras_text(std::string_view text) {
  Reader reader;
  bool begun = false;
  bool ended = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begun |= line.starts_with("NCCL version ");
    ended |= line == "Warnings";  // the last heading, there in every answer
    if (begun) reader.read(line);
  }
  if (!begun) return not_a_ras_answer();
  if (!ended) return Error{"no complete answer"};
  return reader.take();
}

Error not_a_ras_answer() { return {"not an answer of NCCL's RAS"}; }

std::string ras_word(std::string_view text) {
  std::string word;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain && word.size() < 32) word += c;
  }
  return word;
}

void order_ras_counts(core::RasMismatch& mismatch) {
  std::stable_sort(mismatch.counts.begin(), mismatch.counts.end(),
                   [](const core::RasCount& a, const core::RasCount& b) {
                     return a.size != b.size ? a.size > b.size : a.operations > b.operations;
                   });
}

}  // namespace ddp
