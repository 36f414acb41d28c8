#include "launcher/output/rank_map.hpp"

#include "common/parse.hpp"
#include "launcher/settings/comma_list.hpp"

#include <string>

namespace ddp {
namespace {

Error named_twice(const Setting& setting, int rank) {
  return refusal(setting, "each local rank once, not " + std::to_string(rank) + " twice");
}

std::optional<out::StreamSet> stream_set(std::string_view text) {
  if (text.size() != 1 || text[0] < '0' || text[0] > '3') return std::nullopt;
  const int bits = text[0] - '0';
  return out::StreamSet{(bits & 1) != 0, (bits & 2) != 0};
}

std::optional<int> local_rank(std::string_view text, int nproc) {
  const auto rank = parse_integer("", text, 0, nproc - 1);
  if (!rank) return std::nullopt;
  return static_cast<int>(*rank);
}

std::string ranks_allowed(int nproc) {
  return nproc == 1 ? "local rank 0 (--nproc is 1)"
                    : "local ranks 0 to " + std::to_string(nproc - 1) + " (--nproc is " +
                          std::to_string(nproc) + ")";
}

}  // namespace

Result<std::vector<out::StreamSet>> parse_stream_map(const Setting& setting, int nproc) {
  const auto size = static_cast<std::size_t>(nproc);
  if (const auto all = stream_set(setting.text)) return std::vector<out::StreamSet>(size, *all);
  if (setting.text.find(':') == std::string::npos)
    return refusal(setting, "0, 1, 2 or 3, or a map such as 0:3,1:2");

  std::vector<out::StreamSet> map(size);
  std::vector<bool> named(size);
  for (const std::string_view word : split_at_commas(setting.text)) {
    const std::size_t colon = word.find(':');
    if (colon == std::string_view::npos)
      return refusal(setting,
                     "'rank:0' to 'rank:3' between commas, not '" + std::string(word) + "'");
    const auto rank = local_rank(word.substr(0, colon), nproc);
    if (!rank)
      return refusal(setting,
                     ranks_allowed(nproc) + ", not '" + std::string(word.substr(0, colon)) + "'");
    const auto streams = stream_set(word.substr(colon + 1));
    if (!streams)
      return refusal(setting, "0, 1, 2 or 3 for local rank " + std::to_string(*rank) + ", not '" +
                                  std::string(word.substr(colon + 1)) + "'");
    const auto at = static_cast<std::size_t>(*rank);
    if (named[at]) return named_twice(setting, *rank);
    named[at] = true;
    map[at] = *streams;
  }
  return map;
}

Result<std::vector<bool>> parse_rank_list(const Setting& setting, int nproc) {
  std::vector<bool> listed(static_cast<std::size_t>(nproc));
  for (const std::string_view word : split_at_commas(setting.text)) {
    const std::size_t dash = word.find('-');
    const auto first = local_rank(word.substr(0, dash), nproc);
    const auto last =
        dash == std::string_view::npos ? first : local_rank(word.substr(dash + 1), nproc);
    if (!first || !last || *last < *first)
      return refusal(setting, ranks_allowed(nproc) + ", such as 0 or 0,2 or 0-3, not '" +
                                  std::string(word) + "'");
    for (int rank = *first; rank <= *last; ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      if (listed[at]) return named_twice(setting, rank);
      listed[at] = true;
    }
  }
  return listed;
}

}  // namespace ddp
