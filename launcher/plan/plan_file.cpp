#include "launcher/plan/plan_file.hpp"

#include "common/join.hpp"
#include "common/notify_message.hpp"
#include "common/parse.hpp"
#include "launcher/base/text_file.hpp"
#include "launcher/base/toml.hpp"

#include <filesystem>
#include <limits>

namespace ddp {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

// Reads one plan and stops at the first error.
class Reader {
 public:
  Reader(std::string path, int world_size) : path_(std::move(path)), world_size_(world_size) {}

  Result<core::FaultPlan> read(const toml::table& root) {
    plan_.name = std::filesystem::path(path_).stem().string();
    only(root, "the plan", {"name", "seed", "fault", "expect", "launch"});
    text(root, "name", plan_.name);
    if (root.contains("name") && plan_.name.empty())
      refuse(*root.get("name"), "'name': expected a name");
    if (std::int64_t seed = 0; integer(root, "seed", 0, kMost, seed))
      plan_.seed = static_cast<std::uint64_t>(seed);
    if (const auto* node = root.get("fault")) faults(*node);
    if (const auto* expect = table(root, "expect")) read_expect(*expect);
    if (const auto* launch = table(root, "launch")) read_launch(*launch);
    if (!error_.empty()) return Error{error_};
    return std::move(plan_);
  }

 private:
  void refuse(const toml::node& node, const std::string& message) {
    if (!error_.empty()) return;
    error_ = toml_place(path_, node.source().begin) + message;
  }

  // --- faults: strings in the grammar of --inject, or tables with the same words

  void faults(const toml::node& node) {
    const auto* array = node.as_array();
    if (array == nullptr)
      return refuse(node, "'fault': expected [[fault]] tables, or an array of specs and tables");
    for (const auto& item : *array) {
      if (item.is_string()) {
        spec(item);
      } else if (const auto* words = item.as_table()) {
        fault_table(*words);
      } else {
        refuse(item, kSpec);
      }
    }
  }

  static constexpr const char* kSpec =
      "expected a spec such as \"kill@step=50,rank=2\", or a table";

  void spec(const toml::node& node) {
    if (!node.is_string()) return refuse(node, kSpec);
    const std::string& text = node.as_string()->get();
    auto parsed = fault::parse(text, world_size_);
    if (!parsed) return refuse(node, "'" + text + "': " + parsed.error());
    plan_.faults.push_back(std::move(*parsed));
  }

  void fault_table(const toml::table& words) {
    const toml::node* named = words.get("fault");
    if (const auto* text = words.get("spec")) {
      only(words, "a fault given as a spec", {"spec"});
      return spec(*text);
    }
    if (named == nullptr || !named->is_string())
      return refuse(words, "a fault needs its name, such as fault = \"kill\", or a spec");
    std::vector<fault::RawWord> raw{{named->as_string()->get(), std::nullopt}};
    std::vector<const toml::node*> nodes{named};
    for (const auto& [key, node] : words) {
      if (key.str() == "fault") continue;
      const auto value = as_text(node);
      if (!value) return refuse(node, "expected a number, a string, or an array of them");
      if (key.str() == "value") {
        raw[0].value = *value;
      } else {
        raw.push_back({std::string(key.str()), *value});
        nodes.push_back(&node);
      }
    }
    auto built = fault::build(raw, world_size_);
    if (auto* one = std::get_if<fault::Spec>(&built)) {
      plan_.faults.push_back(std::move(*one));
      return;
    }
    const auto& error = std::get<fault::BuildError>(built);
    const bool in_fault_value = error.word == 0 && error.in_value;
    refuse(in_fault_value ? *words.get("value") : *nodes[error.word], error.message);
  }

  static std::optional<std::string> as_text(const toml::node& node) {
    const auto* array = node.as_array();
    if (array == nullptr) return toml_scalar_text(node);
    std::string text;
    for (const auto& item : *array) {
      const auto one = toml_scalar_text(item);
      if (!one) return std::nullopt;
      append_item(text, *one, ",");
    }
    return text;
  }

  // --- [expect]

  // The key had another name, which still works for one version.
  static constexpr const char* kTriggered = "all_faults_triggered";
  static constexpr const char* kTriggeredOld = "every_fault_strikes";

  void read_expect(const toml::table& expect) {
    only(expect, "[expect]",
         {"exit", "restarts", "restarts_at_most", "detected_within", "torn_down_within",
          "recovered_within", "lost_steps_at_most", "root_cause", kTriggered, "no_process_left",
          "checkpoint_digest"},
         kTriggeredOld);
    auto& into = plan_.expect.emplace();
    std::int64_t number = 0;
    if (integer(expect, "exit", 0, 255, number)) into.exit = static_cast<int>(number);
    if (integer(expect, "restarts", 0, 1'000'000, number)) into.restarts = static_cast<int>(number);
    if (integer(expect, "restarts_at_most", 0, 1'000'000, number))
      into.restarts_at_most = static_cast<int>(number);
    duration(expect, "detected_within", into.detected_within);
    duration(expect, "torn_down_within", into.torn_down_within);
    duration(expect, "recovered_within", into.recovered_within);
    if (integer(expect, "lost_steps_at_most", 0, kMost, number)) into.lost_steps_at_most = number;
    if (expect.contains(kTriggered) && expect.contains(kTriggeredOld))
      return refuse(*expect.get(kTriggeredOld), "'" + std::string(kTriggeredOld) +
                                                    "': is the old name of " + kTriggered +
                                                    ": expected one of them");
    truth(expect, kTriggered, into.all_faults_triggered);
    truth(expect, kTriggeredOld, into.all_faults_triggered);
    truth(expect, "no_process_left", into.no_process_left);
    text(expect, "checkpoint_digest", into.checkpoint_digest);
    if (const auto* node = expect.get("checkpoint_digest");
        node != nullptr && !is_notify_name(into.checkpoint_digest))
      return refuse(
          *node, "'checkpoint_digest': expected what a worker can report as X_DDP_DIGEST, 1 to " +
                     std::to_string(kNotifyNameLimit) + " bytes of UTF-8");
    if (const auto* node = expect.get("root_cause")) {
      if (const auto* one = node->as_table()) {
        root_cause(*one, into);
      } else if (const auto* several = node->as_array(); several != nullptr && !several->empty()) {
        for (const auto& item : *several) {
          if (!item.is_table()) return refuse(item, kRootCause);
          root_cause(*item.as_table(), into);
        }
      } else {
        refuse(*node, kRootCause);
      }
    }
  }

  static constexpr const char* kRootCause =
      "'root_cause': expected { rank = 2, by = \"SIGKILL\" }, or an array of such tables";

  void root_cause(const toml::table& table, core::Expectations& into) {
    only(table, "root_cause", {"rank", "by"});
    core::RootCause cause;
    const int most = world_size_ > 0 ? world_size_ - 1 : (1 << 20);
    if (std::int64_t rank = 0; integer(table, "rank", 0, most, rank))
      cause.rank = static_cast<int>(rank);
    text(table, "by", cause.by);
    if (table.contains("by") && !core::is_cause_name(cause.by))
      return refuse(*table.get("by"), "'by': expected " + core::cause_names());
    if (into.root_causes.size() == core::RunRecord::kMostIncidents) {
      return refuse(table, "'root_cause': expected no more than " +
                               std::to_string(core::RunRecord::kMostIncidents));
    }
    into.root_causes.push_back(std::move(cause));
  }

  // --- [launch]

  void read_launch(const toml::table& launch) {
    only(launch, "[launch]", {"options", "command", "timeout"});
    words(launch, "options", plan_.launch.options);
    words(launch, "command", plan_.launch.command);
    if (launch.contains("command") && plan_.launch.command.empty())
      refuse(*launch.get("command"), "'command': expected a program, and its arguments");
    std::optional<core::Nanoseconds> timeout;
    duration(launch, "timeout", timeout);
    if (!timeout) return;
    if (timeout->count() == 0)
      return refuse(*launch.get("timeout"), "'timeout': expected more than 0");
    plan_.launch.timeout = *timeout;
  }

  // --- values; each does nothing where the key is missing

  void only(const toml::table& table, const std::string& what,
            std::initializer_list<std::string_view> allowed, std::string_view old_name = {}) {
    for (const auto& [key, node] : table) {
      bool known = !old_name.empty() && key.str() == old_name;
      std::string list;
      for (const auto name : allowed) {
        known |= key.str() == name;
        append_item(list, name);
      }
      if (!known)
        return refuse(node, "'" + std::string(key.str()) + "': " + what + " takes " + list);
    }
  }

  const toml::table* table(const toml::table& in, const char* key) {
    const auto* node = in.get(key);
    if (node != nullptr && !node->is_table())
      refuse(*node, "'" + std::string(key) + "': expected a table");
    return node != nullptr ? node->as_table() : nullptr;
  }

  void text(const toml::table& in, const char* key, std::string& into) {
    const auto* node = in.get(key);
    if (node == nullptr) return;
    if (!node->is_string()) return refuse(*node, "'" + std::string(key) + "': expected a string");
    into = node->as_string()->get();
  }

  bool integer(const toml::table& in, const char* key, std::int64_t low, std::int64_t high,
               std::int64_t& into) {
    const auto* node = in.get(key);
    if (node == nullptr) return false;
    const auto* number = node->as_integer();
    if (number == nullptr || number->get() < low || number->get() > high) {
      refuse(*node, "'" + std::string(key) + "': expected an integer from " + std::to_string(low) +
                        " to " + std::to_string(high));
      return false;
    }
    into = number->get();
    return true;
  }

  void duration(const toml::table& in, const char* key, std::optional<core::Nanoseconds>& into) {
    const auto* node = in.get(key);
    if (node == nullptr) return;
    const auto text = toml_scalar_text(*node);
    if (!text) return refuse(*node, "'" + std::string(key) + "': expected a time such as \"10s\"");
    const auto parsed = parse_duration(key, *text);
    if (!parsed) return refuse(*node, parsed.error());
    into = *parsed;
  }

  void truth(const toml::table& in, const char* key, bool& into) {
    const auto* node = in.get(key);
    if (node == nullptr) return;
    if (!node->is_boolean())
      return refuse(*node, "'" + std::string(key) + "': expected true or false");
    into = node->as_boolean()->get();
  }

  void words(const toml::table& in, const char* key, std::vector<std::string>& into) {
    const auto* node = in.get(key);
    if (node == nullptr) return;
    const auto* array = node->as_array();
    if (array == nullptr)
      return refuse(*node, "'" + std::string(key) + "': expected an array of strings");
    for (const auto& item : *array) {
      if (!item.is_string()) return refuse(item, "'" + std::string(key) + "': expected a string");
      into.push_back(item.as_string()->get());
    }
  }

  std::string path_;
  int world_size_;
  core::FaultPlan plan_;
  std::string error_;
};

}  // namespace

Result<core::FaultPlan> parse_fault_plan(std::string_view text, const std::string& path,
                                         int world_size) {
  const auto parsed = parse_toml(text, path);
  if (!parsed) return Error{parsed.error()};
  return Reader(path, world_size).read(*parsed);
}

Result<std::string> read_plan_text(const std::string& path) {
  return read_text_file(path, kLargestFile);
}

Result<core::FaultPlan> read_fault_plan(const std::string& path, int world_size) {
  const auto text = read_plan_text(path);
  if (!text) return Error{path + ": " + text.error()};
  return parse_fault_plan(*text, path, world_size);
}

}  // namespace ddp
