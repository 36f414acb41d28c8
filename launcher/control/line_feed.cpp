#include "launcher/control/line_feed.hpp"

#include "common/utf8.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace ddp::control {
namespace {

namespace json = boost::json;

std::string line_of(int rank, std::string_view text) {
  json::object object;
  object["rank"] = rank;
  object["line"] = as_utf8(text);
  return json::serialize(object) + "\n";
}

}  // namespace

std::string LineFeed::tails(const std::vector<core::LocalRank>& ranks, int count) const {
  const std::size_t share = kMostOfTails / std::max<std::size_t>(ranks.size(), 1);
  std::string text;
  for (const auto rank : ranks) {
    std::vector<std::string> lines;
    std::size_t size = 0;
    const auto last = router_.tail(rank, count);
    for (auto line = last.rbegin(); line != last.rend(); ++line) {
      lines.push_back(line_of(ranks_.global(rank).value, *line));
      size += lines.back().size();
      if (size > share) break;
    }
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) text += *line;
  }
  return text;
}

std::string LineFeed::unread(const std::vector<core::LocalRank>& ranks) const {
  std::string text;
  for (const auto rank : ranks) {
    if (router_.reads(rank)) continue;
    json::object object;
    object["rank"] = ranks_.global(rank).value;
    object["unread"] = true;
    text += json::serialize(object) + "\n";
  }
  return text;
}

void LineFeed::follow(const std::shared_ptr<Client>& client, std::vector<core::LocalRank> ranks) {
  followers_.push_back({client, std::move(ranks)});
  if (lines_) return;
  lines_ = router_.on_line(
      [this](int rank, out::Stream, std::string_view line) { pass_on(rank, line); });
}

void LineFeed::forget() {
  std::erase_if(followers_, [](const Follower& one) { return one.client.expired(); });
  if (followers_.empty()) lines_.reset();
}

void LineFeed::pass_on(core::LocalRank rank, std::string_view line) {
  std::string text;
  bool any_left = false;
  for (const auto& [weak, ranks] : followers_) {
    const auto client = weak.lock();
    any_left |= client == nullptr;
    if (!client || std::find(ranks.begin(), ranks.end(), rank) == ranks.end()) continue;
    if (text.empty()) text = line_of(ranks_.global(rank).value, line);
    client->more(text);
  }
  // Not from within a call of the router's.
  if (any_left) {
    loop_.post([this, weak = std::weak_ptr(alive_)] {
      if (!weak.expired()) forget();
    });
  }
}

}  // namespace ddp::control
