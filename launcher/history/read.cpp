#include "launcher/history/read.hpp"

#include "launcher/events/event_log.hpp"
#include "launcher/history/builder.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <limits>
#include <string_view>
#include <vector>

namespace ddp::history {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 20;

// One line at a time in a buffer of a fixed size.
class Lines {
 public:
  explicit Lines(std::istream& input) : input_(input), buffer_(kLongestLine) {}

  // False: there is no more. A line that is too long is empty, with `skipped`.
  bool next(std::string_view& line, bool& skipped) {
    skipped = false;
    input_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    const auto count = input_.gcount();
    if (count == 0 && input_.eof()) return false;
    if (input_.fail() && !input_.eof()) {
      input_.clear(input_.rdstate() & ~std::ios::failbit);
      input_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
      line = {};
      skipped = true;
      return true;
    }
    line = std::string_view(buffer_.data());
    return !input_.bad();
  }

 private:
  std::istream& input_;
  std::vector<char> buffer_;
};

}  // namespace

Result<History> read(std::istream& events, const std::string& path) {
  Builder builder;
  Lines lines(events);
  std::string_view line;
  bool any = false;
  bool skipped = false;
  std::vector<unsigned char> memory(16'384);
  for (std::int64_t number = 1; lines.next(line, skipped); ++number) {
    if (skipped) builder.add_unreadable();
    if (line.empty()) continue;
    boost::json::monotonic_resource resource(memory.data(), memory.size());
    boost::system::error_code failed;
    const auto value = boost::json::parse({line.data(), line.size()}, failed, &resource);
    const auto* object = failed ? nullptr : value.if_object();
    const auto* event = object != nullptr ? object->if_contains("event") : nullptr;
    if (event == nullptr || event->if_string() == nullptr) {
      builder.add_unreadable();
      continue;
    }
    const auto* version = object->if_contains("v");
    if (version != nullptr && *version != kEventVersion)
      return Error{path + ":" + std::to_string(number) + ": \"v\" is " +
                   boost::json::serialize(*version) + ": expected " +
                   std::to_string(kEventVersion) + ", the version of this ddp-launch"};
    any = true;
    builder.add({event->get_string().data(), event->get_string().size()}, *object);
  }
  if (events.bad()) return Error{path + ": it cannot be read"};
  if (!any) return Error{path + ": it has no event of a run"};
  return std::move(builder).take();
}

Result<History> read(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Error{path + ": " + std::strerror(errno)};
  // A FIFO has no end.
  if (!S_ISREG(status.st_mode)) return Error{path + ": it is not a regular file"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{path + ": " + std::strerror(errno)};
  return read(file, path);
}

}  // namespace ddp::history
