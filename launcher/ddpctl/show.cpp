#include "launcher/ddpctl/show.hpp"

#include "common/duration_text.hpp"
#include "common/utf8.hpp"
#include "launcher/base/shell_word.hpp"
#include "launcher/base/table.hpp"

namespace ddp::ctl {
namespace {

std::string whole_seconds(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return seconds.count() < 60 ? std::to_string(seconds.count()) + " s" : duration_text(seconds);
}

// "0-3", "4-7 of 16".
std::string ranks_of(const Run& run) {
  std::string text = std::to_string(run.first_rank);
  if (run.nproc > 1) text += "-" + std::to_string(run.first_rank + run.nproc - 1);
  if (run.nproc != run.world_size) text += " of " + std::to_string(run.world_size);
  return text;
}

std::string command_of(const Run& run) {
  std::string text;
  for (const auto& word : run.command) text += (text.empty() ? "" : " ") + shell_word(word);
  return text;
}

std::string cut(const std::string& line, std::optional<int> columns) {
  if (!columns || line.size() <= static_cast<std::size_t>(*columns) || *columns < 1) return line;
  return std::string(utf8_prefix(line, static_cast<std::size_t>(*columns)));
}

}  // namespace

std::string list_table(const std::vector<Run>& runs, std::optional<int> columns) {
  std::vector<std::vector<std::string>> rows{{"RUN", "PID", "AGE", "STATE", "RANKS", "COMMAND"}};
  for (const auto& run : runs) {
    rows.push_back({run.run_id, std::to_string(run.pid), whole_seconds(run.age), run.state,
                    ranks_of(run), command_of(run)});
  }
  std::string text;
  for (const auto& line : aligned_rows(rows, {Align::left, Align::right, Align::right}))
    text += cut(line, columns) + "\n";
  return text;
}

}  // namespace ddp::ctl
