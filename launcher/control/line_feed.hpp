// The ranks' output for clients: the last lines, and those that follow. A client that is too slow
// for them loses lines; the ranks and the launcher never wait for it.
#pragma once

#include "launcher/control/client.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace ddp::control {

inline constexpr std::size_t kMostFollowers = 8;
// Of one answer with the last lines of all ranks: of more, the oldest of each rank are left out.
inline constexpr std::size_t kMostOfTails = std::size_t{256} * 1024;

class LineFeed {
 public:
  // All borrowed.
  LineFeed(os::Loop& loop, const core::RankGroup& ranks, out::Router& router)
      : loop_(loop), ranks_(ranks), router_(router) {}

  // The last `count` lines of each rank, a line of JSON for each.
  std::string tails(const std::vector<core::LocalRank>& ranks, int count) const;
  // One line for each rank that writes to its files directly.
  std::string unread(const std::vector<core::LocalRank>& ranks) const;
  bool is_full() const { return followers_.size() >= kMostFollowers; }
  // The lines of these ranks from now on.
  void follow(const std::shared_ptr<Client>& client, std::vector<core::LocalRank> ranks);
  // Those that have left.
  void forget();

 private:
  struct Follower {
    std::weak_ptr<Client> client;
    std::vector<core::LocalRank> ranks;
  };
  void pass_on(core::LocalRank rank, std::string_view line);

  os::Loop& loop_;
  const core::RankGroup ranks_;
  out::Router& router_;
  std::vector<Follower> followers_;
  std::shared_ptr<void> lines_;  // keeps them coming, while there is a follower
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ddp::control
