#include "launcher/hangs/ras_json.hpp"

#include "launcher/hangs/ras_answer.hpp"
#include "launcher/hangs/ras_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

namespace ddp {
namespace {

namespace json = boost::json;

// ncclResult_t: what is no error.
constexpr std::int64_t kSuccess = 0;
constexpr std::int64_t kInProgress = 7;

std::int64_t number_in(const json::object& object, const char* key, std::int64_t missing) {
  const auto* value = object.if_contains(key);
  const auto* number = value != nullptr ? value->if_int64() : nullptr;
  return number != nullptr ? *number : missing;
}

int int_in(const json::object& object, const char* key) {
  const auto number = number_in(object, key, 0);
  return number < 0 || number > std::numeric_limits<int>::max() ? 0 : static_cast<int>(number);
}

bool flag_in(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  const auto* flag = value != nullptr ? value->if_bool() : nullptr;
  return flag != nullptr && *flag;
}

std::string word_in(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? ras_word({text->data(), text->size()}) : std::string();
}

const json::object& object_in(const json::object& object, const char* key) {
  static const json::object none;
  const auto* value = object.if_contains(key);
  const auto* found = value != nullptr ? value->if_object() : nullptr;
  return found != nullptr ? *found : none;
}

template <class Take>
void each_object(const json::object& object, const char* key, std::size_t most, Take take) {
  const auto* value = object.if_contains(key);
  const auto* array = value != nullptr ? value->if_array() : nullptr;
  if (array == nullptr) return;
  for (std::size_t i = 0; i < std::min(array->size(), most); ++i) {
    if (const auto* one = (*array)[i].if_object()) take(*one);
  }
}

core::RasRank rank_of(const json::object& object) {
  return {.number = int_in(object, "rank"), .pid = int_in(object, "pid"), .rank = {}};
}

bool is_error(std::int64_t result) { return result != kSuccess && result != kInProgress; }

// By operation and number of operations: the ranks.
using Counts = std::map<std::string, std::map<std::uint64_t, std::vector<core::RasRank>>>;

void count(const json::object& rank, Counts& counts) {
  for (const auto& [name, value] : object_in(rank, "collective_counts")) {
    if (!value.is_int64() || value.get_int64() < 0) continue;
    std::string operation = ras_word({name.data(), name.size()});
    if (counts.size() < kMostRasOperations || counts.contains(operation))
      counts[std::move(operation)][static_cast<std::uint64_t>(value.get_int64())].push_back(
          rank_of(rank));
  }
}

core::RasCommunicator communicator_of(const json::object& object) {
  core::RasCommunicator communicator;
  communicator.id = word_in(object, "hash");
  communicator.size = int_in(object, "size");
  Counts counts;
  each_object(object, "ranks", kMostRasRanks, [&](const json::object& rank) {
    const auto& status = object_in(rank, "status");
    if (is_error(number_in(status, "init_state", kSuccess)) ||
        is_error(number_in(status, "async_error", kSuccess)))
      communicator.failed.push_back(rank_of(rank));
    count(rank, counts);
  });
  each_object(object, "missing_ranks", kMostRasRanks, [&](const json::object& rank) {
    const auto& status = object_in(rank, "status");
    const bool missing = flag_in(status, "unresponsive") || flag_in(status, "considered_dead");
    (missing ? communicator.missing : communicator.left).push_back(rank_of(rank));
  });
  for (auto& [operation, by_number] : counts) {
    if (by_number.size() < 2) continue;
    core::RasMismatch mismatch{operation, {}};
    for (auto& [operations, ranks] : by_number)
      mismatch.counts.push_back({operations, static_cast<int>(ranks.size()), std::move(ranks)});
    order_ras_counts(mismatch);
    communicator.mismatches.push_back(std::move(mismatch));
  }
  return communicator;
}

}  // namespace

Result<std::vector<core::RasCommunicator>> parse_ras_json(std::string_view text) {
  boost::system::error_code failed;
  const auto value = json::parse({text.data(), text.size()}, failed);
  if (failed) return Error{"no complete JSON: " + failed.message()};
  const auto* answer = value.if_object();
  if (answer == nullptr || !answer->contains("nccl_version")) return not_a_ras_answer();
  std::vector<core::RasCommunicator> communicators;
  each_object(*answer, "communicators", kMostCommunicators, [&](const json::object& object) {
    communicators.push_back(communicator_of(object));
  });
  return communicators;
}

}  // namespace ddp
