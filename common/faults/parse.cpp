// From the text of a spec to its words, each with its column.
#include "common/faults/spec.hpp"
#include "common/utf8.hpp"

#include <cctype>

namespace ddp::fault {
namespace {

struct Place {
  std::size_t name = 0;   // offset of the word
  std::size_t value = 0;  // offset of its value
};

Error at(std::size_t offset, const std::string& message) {
  return Error{"column " + std::to_string(offset + 1) + ": " + message};
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // spec := fault [ '@' word { ',' word } ];  word := name [ '=' value ]
  std::optional<Error> run() {
    if (auto error = word('@')) return error;
    if (done()) return std::nullopt;
    if (text_[at_] != '@') return unexpected("'@' or the end");
    do {
      ++at_;
      if (auto error = word(',')) return error;
    } while (!done() && text_[at_] == ',');
    return done() ? std::nullopt : unexpected("',' or the end");
  }

  std::vector<RawWord> words;
  std::vector<Place> places;

 private:
  bool done() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    return at_ == text_.size();
  }
  std::optional<Error> unexpected(const char* expected) {
    return at(at_, "'" + std::string(1, text_[at_]) + "': expected " + expected);
  }

  std::optional<Error> word(char end) {
    const bool empty = done();
    RawWord raw;
    Place place{at_, at_};
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '-' || text_[at_] == '_'))
      raw.name += text_[at_++];
    if (raw.name.empty() && end == ',') {
      return empty ? at(at_, "expected a word such as step=50 or rank=2")
                   : unexpected("a word such as step=50 or rank=2");
    }
    if (!done() && text_[at_] == '=') {
      ++at_;
      done();
      place.value = at_;
      raw.value.emplace();
      const bool list = end == ',' && (raw.name == "rank" || raw.name == "gen");
      if (auto error = value(end, list, *raw.value)) return error;
    }
    words.push_back(std::move(raw));
    places.push_back(place);
    return std::nullopt;
  }

  std::optional<Error> value(char end, bool list, std::string& into) {
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) return quoted(into);
    while (at_ < text_.size() && text_[at_] != end && text_[at_] != ' ' && text_[at_] != '\t') {
      into += text_[at_++];
      // A comma before a digit continues a list: no word begins with a digit.
      if (list && at_ + 1 < text_.size() && text_[at_] == ',' &&
          std::isdigit(static_cast<unsigned char>(text_[at_ + 1])))
        into += text_[at_++];
    }
    return std::nullopt;
  }

  // A quote inside is doubled.
  std::optional<Error> quoted(std::string& into) {
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    while (at_ < text_.size()) {
      if (text_[at_] != quote) {
        into += text_[at_++];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
        into += quote;
        at_ += 2;
      } else {
        ++at_;
        return std::nullopt;
      }
    }
    return at(begin, std::string("the quote ") + quote + " is not closed");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Spec> parse(std::string_view text, int world_size) {
  if (!is_utf8(text)) return at(utf8_length(text), "a byte that is not UTF-8");
  Lexer lexer(text);
  if (auto error = lexer.run()) return *error;
  auto built = build(lexer.words, world_size);
  if (auto* spec = std::get_if<Spec>(&built)) return std::move(*spec);
  const auto& error = std::get<BuildError>(built);
  const Place place = lexer.places[error.word];
  return at(error.in_value ? place.value : place.name, error.message);
}

}  // namespace ddp::fault
