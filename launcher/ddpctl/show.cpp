#include "launcher/ddpctl/show.hpp"

#include "common/duration_text.hpp"
#include "common/utf8.hpp"
#include "launcher/base/shell_word.hpp"
#include "launcher/base/table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

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

std::string figure(const std::optional<double>& value) {
  return value ? fmt::format("{:.4g}", *value) : std::string();
}

std::string figure(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : std::string();
}

// "running", "exited with 3", "killed by SIGTERM".
std::string state_of(const Answer& rank) {
  if (const auto code = rank.number("code")) return "exited with " + std::to_string(*code);
  if (rank.has("signal")) return "killed by " + rank.text("signal");
  return rank.text("state");
}

// "step 120 of 1000, 10.5 steps/s, loss 2.31, 80 s left"; empty: no rank reports steps.
std::string progress_of(const Answer& status) {
  const auto step = status.number("step");
  if (!step) return {};
  std::string text = "step " + std::to_string(*step);
  if (const auto total = status.number("total_steps")) text += " of " + std::to_string(*total);
  if (const auto rate = status.real("steps_per_s")) text += ", " + figure(rate) + " steps/s";
  if (const auto loss = status.real("loss")) text += ", loss " + figure(loss);
  if (const auto left = status.number("time_left_ns"))
    text += ", " + whole_seconds(std::chrono::nanoseconds(*left)) + " left";
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

std::string status_table(const Answer& status) {
  const auto number = [&](const char* name) { return status.number(name).value_or(0); };
  std::string text =
      fmt::format("run {} (pid {}): {}, attempt {}, {} restart{}, {} of {} ranks up, {} old\n",
                  status.text("run_id"), number("pid"), status.text("state"), number("generation"),
                  number("restarts"), number("restarts") == 1 ? "" : "s", number("up"),
                  number("nproc"), whole_seconds(std::chrono::nanoseconds(number("age_ns"))));
  if (const std::string progress = progress_of(status); !progress.empty()) text += progress + "\n";
  std::vector<std::vector<std::string>> rows{
      {"RANK", "PID", "STATE", "STEP", "STEPS/S", "LOSS", "PHASE"}};
  for (const auto& rank : status.objects("ranks")) {
    rows.push_back({figure(rank.number("rank")), figure(rank.number("pid")), state_of(rank),
                    figure(rank.number("step")), figure(rank.real("steps_per_s")),
                    figure(rank.real("loss")), rank.text("phase")});
  }
  // Without a step no rank has anything to show there.
  for (std::size_t column = rows.front().size(); column-- > 3;) {
    const bool any = std::any_of(rows.begin() + 1, rows.end(),
                                 [&](const auto& row) { return !row[column].empty(); });
    if (any) continue;
    for (auto& row : rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  }
  for (const auto& line : aligned_rows(rows, {Align::right, Align::right, Align::left, Align::right,
                                              Align::right, Align::right}))
    text += line + "\n";
  return text;
}

std::string stack_text(const Answer& stack) {
  std::string text = "rank " + figure(stack.number("rank"));
  if (const auto pid = stack.number("pid")) text += " (pid " + std::to_string(*pid) + ")";
  text += stack.has("error") ? ": " + stack.text("error") + "\n" : "\n";
  const std::string frames = stack.raw_text("text");
  for (std::size_t at = 0; at < frames.size();) {
    const auto newline = std::min(frames.find('\n', at), frames.size());
    text += "  " + without_controls(frames.substr(at, newline - at)) + "\n";
    at = newline + 1;
  }
  return text;
}

}  // namespace ddp::ctl
