#include "launcher/report/recorded_traceback.hpp"

#include "common/utf8.hpp"
#include "launcher/report/plain_text.hpp"
#include "launcher/report/traceback.hpp"

#include <algorithm>
#include <string_view>

namespace ddp {
namespace {

// A data loader's, above the exception in its process.
constexpr std::string_view kOriginalHeader = "Original Traceback (most recent call last):";
constexpr std::string_view kGroupHeader = "  + Exception Group Traceback (most recent call last):";
constexpr std::string_view kFrame = "  File \"";
constexpr const char* kLeftOut = "  ...";
// So many lines of frames stay above a message that is too long.
constexpr std::size_t kFrameLines = 8;

using Lines = std::vector<std::string>;

bool is_header(std::string_view line) {
  return line == kTracebackHeader || line == kOriginalHeader || line == kGroupHeader;
}

// A line of a group, without the margin of the group or of its member.
std::string_view without_margin(std::string_view line) {
  const std::size_t bar = line.find_first_not_of(' ');
  if (bar == std::string_view::npos || bar == 0 || line[bar] != '|') return line;
  line.remove_prefix(bar + 1);
  if (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

class Recorded {
 public:
  explicit Recorded(std::span<const std::string> lines) {
    for (const auto& raw : lines) {
      std::string plain = plain_text(raw);
      plain.resize(plain.find_last_not_of(' ') + 1);
      lines_.emplace_back(utf8_prefix(without_rank(plain), kExceptionBytes));
    }
    while (!lines_.empty() && lines_.back().empty()) lines_.pop_back();
    header_ = last_header_before(lines_.size());
    if (header_ == lines_.size()) return;
    group_ = lines_[header_] == kGroupHeader;
    message_ = message_after(header_, lines_.size());
  }

  bool in_data_loader() const {
    return header_ < lines_.size() && lines_[header_] == kOriginalHeader;
  }

  std::string exception() const {
    if (header_ == lines_.size() || message_ == lines_.size()) return {};
    return exception_line(text(message_));
  }

  Lines shortened() const {
    if (lines_.size() <= kTracebackLines) return lines_;
    // Of another language, perhaps: the end says most.
    if (header_ == lines_.size())
      return {lines_.end() - signed_size(kTracebackLines), lines_.end()};
    Lines kept = cause();
    kept.push_back(lines_[header_]);
    const std::size_t room = kTracebackLines - kept.size();
    const std::size_t frames = message_ - header_ - 1;
    Lines message(lines_.begin() + signed_size(message_), lines_.end());
    if (group_ && std::min(frames, kFrameLines + 1) + message.size() > room)
      message = without_members_frames(message);
    std::size_t from = header_ + 1;
    if (frames + message.size() > room) {
      const std::size_t rest = room - std::min(room, message.size() + 1);
      from = frame_from(message_ - std::min(frames, std::max(kFrameLines, rest)));
    }
    if (from > header_ + 1) kept.emplace_back(kLeftOut);
    kept.insert(kept.end(), lines_.begin() + signed_size(from),
                lines_.begin() + signed_size(message_));
    kept.insert(kept.end(), message.begin(), message.end());
    if (kept.size() > kTracebackLines) {
      kept.resize(kTracebackLines);
      kept.back() = kLeftOut;
    }
    return kept;
  }

 private:
  static std::ptrdiff_t signed_size(std::size_t size) { return static_cast<std::ptrdiff_t>(size); }

  std::string_view text(std::size_t at) const {
    return group_ ? without_margin(lines_[at]) : std::string_view(lines_[at]);
  }

  // All lines: there is none.
  std::size_t last_header_before(std::size_t end) const {
    for (std::size_t i = end; i > 0; --i) {
      if (is_header(lines_[i - 1])) return i - 1;
    }
    return lines_.size();
  }

  // The line with the exception: the first below the frames, which are indented.
  std::size_t message_after(std::size_t header, std::size_t end) const {
    for (std::size_t i = header + 1; i < end; ++i) {
      const std::string_view line =
          lines_[header] == kGroupHeader ? without_margin(lines_[i]) : std::string_view(lines_[i]);
      if (!line.empty() && !line.starts_with(' ')) return i;
    }
    return end;
  }

  // The exception before the last one, and the sentence of Python that joins them.
  Lines cause() const {
    Lines found;
    const std::size_t header = last_header_before(header_);
    if (header == lines_.size()) return found;
    const std::size_t exception = message_after(header, header_);
    if (exception == header_) return found;
    found.push_back(lines_[exception]);
    std::size_t sentence = header_ - 1;
    while (sentence > exception && lines_[sentence].empty()) --sentence;
    if (sentence > exception) found.push_back(lines_[sentence]);
    return found;
  }

  // From the first line of a frame on, if one begins at `at` or below it.
  std::size_t frame_from(std::size_t at) const {
    for (std::size_t i = at; i < message_; ++i) {
      if (lines_[i].starts_with(kFrame) || text(i).starts_with(kFrame)) return i;
    }
    return at;
  }

  static Lines without_members_frames(Lines message) {
    std::erase_if(message, [](const std::string& line) { return is_group_frame(line); });
    return message;
  }

  Lines lines_;
  std::size_t header_ = 0;   // of the last traceback; lines_.size(): there is none
  std::size_t message_ = 0;  // the line below its frames
  bool group_ = false;
};

}  // namespace

RecordedTraceback recorded_traceback(std::span<const std::string> lines) {
  const Recorded recorded(lines);
  return {recorded.exception(), recorded.in_data_loader(), recorded.shortened()};
}

bool is_group_frame(std::string_view line) {
  const std::string_view text = without_margin(line);
  return text.size() < line.size() && (text.starts_with(' ') || text.ends_with(kTracebackHeader));
}

}  // namespace ddp
