#include "worker/checkpoint/format.hpp"

#include <boost/json.hpp>

#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>

namespace ddp::worker {
namespace {

namespace json = boost::json;

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

constexpr std::string_view kFormat = "ddp-launch worker 1";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kLongestHeader = 100'000'000;  // the limit of safetensors

struct Part {
  const char* prefix;
  std::vector<float> TrainingState::*values;
};
constexpr Part kParts[] = {{"", &TrainingState::parameters},
                           {"first_moment/", &TrainingState::first_moment},
                           {"second_moment/", &TrainingState::second_moment}};

// Calls visit(name, segment, part, offset in bytes of the data).
template <class Visit>
std::size_t for_each_tensor(const Layout& layout, Visit&& visit) {
  std::size_t offset = 0;
  for (const Part& part : kParts) {
    for (const Segment& segment : layout.segments) {
      visit(part.prefix + segment.name, segment, part, offset);
      offset += segment.size() * sizeof(float);
    }
  }
  return offset;
}

std::string text_of(const json::object& metadata, std::string_view key) {
  const json::value* const value = metadata.if_contains(key);
  if (value == nullptr || !value->is_string())
    throw Refusal{"has no '" + std::string(key) + "' in its metadata"};
  return std::string(value->get_string());
}

std::int64_t number_of(const json::object& metadata, std::string_view key) {
  const std::string text = text_of(metadata, key);
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < 0)
    throw Refusal{"has '" + text + "' as its " + std::string(key)};
  return value;
}

json::object read_header(std::span<const std::byte> file, std::size_t& data_begin) {
  std::uint64_t length = 0;
  if (file.size() < kLengthBytes) throw Refusal{"is too short for a header"};
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLongestHeader || length > file.size() - kLengthBytes)
    throw Refusal{"has a header longer than the file"};
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes,
                              static_cast<std::size_t>(length));
  boost::system::error_code error;
  const json::value header = json::parse(text, error);
  if (error || !header.is_object()) throw Refusal{"has a header that is not JSON"};
  data_begin = kLengthBytes + static_cast<std::size_t>(length);
  return header.get_object();
}

void compare(const json::object& metadata, const Configuration& expected) {
  for (const auto& [name, value] : expected) {
    const std::string there = text_of(metadata, name);
    if (there != value) throw Refusal{"was made with " + name + " " + there + ", not " + value};
  }
}

}  // namespace

std::string encode_header(const Layout& layout, const Progress& progress,
                          const Configuration& configuration) {
  json::object metadata{{"format", kFormat},
                        {"step", std::to_string(progress.step)},
                        {"sampler_position", std::to_string(progress.sampler_position)}};
  for (const auto& [name, value] : configuration) metadata[name] = value;
  json::object header{{"__metadata__", std::move(metadata)}};
  for_each_tensor(layout, [&](const std::string& name, const Segment& segment, const Part&,
                              std::size_t offset) {
    header[name] = {{"dtype", "F32"},
                    {"shape", segment.rows == 1 ? json::array{segment.cols}
                                                : json::array{segment.rows, segment.cols}},
                    {"data_offsets", json::array{offset, offset + segment.size() * sizeof(float)}}};
  });
  std::string text = json::serialize(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the tensors
  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  return bytes + text;
}

std::vector<std::span<const std::byte>> pieces(const Layout& layout, const TrainingState& state) {
  std::vector<std::span<const std::byte>> all;
  for_each_tensor(
      layout, [&](const std::string&, const Segment& segment, const Part& part, std::size_t) {
        all.push_back(
            std::as_bytes(std::span(state.*part.values).subspan(segment.offset, segment.size())));
      });
  return all;
}

Progress decode(const Layout& layout, const Configuration& expected,
                std::span<const std::byte> file, TrainingState& state) {
  std::size_t data_begin = 0;
  const json::object header = read_header(file, data_begin);
  const json::value* const found = header.if_contains("__metadata__");
  if (found == nullptr || !found->is_object() || !found->get_object().contains("format") ||
      text_of(found->get_object(), "format") != kFormat)
    throw Refusal{"is not a checkpoint of this worker"};
  const json::object& metadata = found->get_object();
  compare(metadata, expected);
  // With the same configuration, the header equals the one that this worker writes, byte for byte.
  const Progress progress{number_of(metadata, "step"), number_of(metadata, "sampler_position")};
  const std::string own = encode_header(layout, progress, expected);
  if (own.size() != data_begin || std::memcmp(own.data(), file.data(), own.size()) != 0)
    throw Refusal{"has a header that does not fit its configuration"};
  const std::span<const std::byte> data = file.subspan(data_begin);
  for (const Part& part : kParts) (state.*part.values).assign(layout.size, 0.0f);
  const std::size_t size = for_each_tensor(layout, [&](const std::string&, const Segment& segment,
                                                       const Part& part, std::size_t offset) {
    const std::size_t bytes = segment.size() * sizeof(float);
    if (offset + bytes > data.size()) throw Refusal{"is cut short"};
    std::memcpy((state.*part.values).data() + segment.offset, data.data() + offset, bytes);
  });
  if (size != data.size()) throw Refusal{"is longer than its tensors"};
  return progress;
}

}  // namespace ddp::worker
