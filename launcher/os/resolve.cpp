#include "launcher/os/resolve.hpp"

#include "launcher/os/child_output.hpp"

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace ddp::os {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Answer = Lookup::Answer;
using End = ChildOutput::End;

constexpr int kNoSuchName = 2;  // getent(1): "one or more supplied key could not be found"

// The first word of each line, once.
std::vector<std::string> addresses_in(const std::string& text) {
  std::vector<std::string> addresses;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto address = line.substr(0, line.find_first_of(" \t"));
    if (!address.empty() &&
        std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

Lookup look_up(const std::string& name, const LookupConfig& config) {
  const auto deadline = Clock::now() + config.limit;
  SpawnRequest request;
  request.program = config.getent;
  request.arguments = {"ahosts", name};
  for (char** variable = environ; *variable != nullptr; ++variable)
    request.environment.emplace_back(*variable);
  const ChildOutput output = run_and_read(std::move(request), config.limit);
  if (output.end == End::not_started || output.end == End::stopped) return {};
  const auto seconds = [](milliseconds time) {
    std::ostringstream words;
    words << static_cast<double>(time.count()) / 1000 << " s";
    return words.str();
  };
  if (output.end == End::late)
    return {.answer = Answer::no_answer, .why = "no answer in " + seconds(config.limit)};
  if (output.code == 0) return {.answer = Answer::found, .addresses = addresses_in(output.text)};
  if (output.code != kNoSuchName) return {};
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  if (any_answers(config.name_servers ? *config.name_servers : name_servers(), name, left))
    return {Answer::not_found};
  return {.answer = Answer::no_answer, .why = "no name server answers"};
}

}  // namespace ddp::os
