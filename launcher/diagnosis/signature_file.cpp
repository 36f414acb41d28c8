#include "launcher/diagnosis/signature_file.hpp"

#include "common/faults/line_pattern.hpp"
#include "common/join.hpp"
#include "common/signal_name.hpp"
#include "launcher/base/text_file.hpp"
#include "launcher/base/toml.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <initializer_list>
#include <utility>

namespace ddp::diagnosis {

// Deques: what is in them stays where it is.
struct SignatureMemory {
  std::deque<std::string> texts;
  std::deque<std::vector<int>> numbers;
  std::deque<std::vector<LineCondition>> lines;
  std::deque<std::vector<SystemFact>> facts;

  std::string_view keep(std::string text) { return texts.emplace_back(std::move(text)); }
};

namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20;
constexpr std::size_t kMostSignatures = 500;
constexpr std::size_t kMostValues = 32;    // of one key
constexpr std::size_t kLongestLine = 300;  // of cause and remedy, in bytes
constexpr std::size_t kLongestName = 64;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

bool is_one_line(std::string_view text) {
  return !text.empty() && text.size() <= kLongestLine &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::string system_fact_names() {
  std::string names;
  for (const auto& one : kSystemFacts) append_item(names, one.name);
  return names;
}

// Reads one file and stops at the first error.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  Result<SignatureFile> read(const toml::table& root) {
    only(root, "the file", {"signature"});
    const auto* node = root.get("signature");
    const auto* tables = node != nullptr ? node->as_array() : nullptr;
    if (error_.empty() && tables == nullptr)
      error_ = path_ + ": no signature: expected [[signature]] tables";
    if (!error_.empty()) return Error{error_};
    if (tables->size() > kMostSignatures)
      refuse(*tables, "expected no more than " + std::to_string(kMostSignatures) + " signatures");
    for (const auto& one : *tables) {
      if (!error_.empty()) break;
      if (const auto* table = one.as_table()) {
        signature(*table);
      } else {
        refuse(one, "'signature': expected [[signature]] tables");
      }
    }
    if (!error_.empty()) return Error{error_};
    file_.memory = std::move(memory_);
    return std::move(file_);
  }

 private:
  void refuse(const toml::node& node, const std::string& message) {
    if (error_.empty()) error_ = toml_place(path_, node.source().begin) + message;
  }

  void only(const toml::table& table, const std::string& what,
            std::initializer_list<std::string_view> allowed) {
    for (const auto& [key, node] : table) {
      if (std::find(allowed.begin(), allowed.end(), key.str()) == allowed.end())
        return refuse(
            node, "'" + std::string(key.str()) + "': " + what + " takes " + joined(allowed, ", "));
    }
  }

  void signature(const toml::table& table) {
    only(table, "a signature",
         {"name", "exit", "signal", "text", "line", "kernel", "system", "consequence", "cause",
          "remedy", "sample", "kernel_sample"});
    Signature one;
    one.name = line(table, "name", is_name,
                    "expected a name of letters a-z, digits and hyphens, such as \"nfs-gone\"");
    const auto same = [&](const Signature& other) { return other.name == one.name; };
    if (std::any_of(file_.signatures.begin(), file_.signatures.end(), same))
      refuse(table, "'name': '" + std::string(one.name) +
                        "' is used twice; expected a name of this one alone");
    auto& exit_codes = memory_->numbers.emplace_back();
    auto& signals = memory_->numbers.emplace_back();
    auto& lines = memory_->lines.emplace_back();
    auto& kernel = memory_->lines.emplace_back();
    auto& system = memory_->facts.emplace_back();
    each(table, "exit", "integers from 1 to 255", [&](const toml::node& node) {
      const auto* code = node.as_integer();
      if (code == nullptr || code->get() < 1 || code->get() > 255) return false;
      exit_codes.push_back(static_cast<int>(code->get()));
      return true;
    });
    each(table, "signal", "signals such as \"SIGBUS\"", [&](const toml::node& node) {
      const auto* name = node.as_string();
      const auto number = name != nullptr ? parse_signal(name->get()) : std::nullopt;
      if (number) signals.push_back(*number);
      return number.has_value();
    });
    each(table, "text", "strings of 1 to 300 bytes", [&](const toml::node& node) {
      const auto* text = node.as_string();
      if (text == nullptr || text->get().empty() || text->get().size() > kLongestLine) return false;
      lines.push_back({memory_->keep(text->get()), {}});
      return true;
    });
    patterns(table, "line", lines);
    patterns(table, "kernel", kernel);
    each(table, "system", system_fact_names(), [&](const toml::node& node) {
      const auto* name = node.as_string();
      const auto fact =
          std::find_if(kSystemFacts.begin(), kSystemFacts.end(), [&](const SystemFactName& known) {
            return name != nullptr && known.name == name->get();
          });
      if (fact == kSystemFacts.end()) return false;
      system.push_back(fact->fact);
      return true;
    });
    if (const auto* node = table.get("consequence")) {
      if (!node->is_boolean()) return refuse(*node, "'consequence': expected true or false");
      one.consequence = node->as_boolean()->get();
    }
    one.exit_codes = exit_codes;
    one.signals = signals;
    one.lines = lines;
    one.kernel = kernel;
    one.system = system;
    const auto one_line = "expected one line of 1 to " + std::to_string(kLongestLine) + " bytes";
    one.cause = line(table, "cause", is_one_line, one_line);
    one.remedy = line(table, "remedy", is_one_line, one_line);
    if (!one.has_status() && lines.empty() && kernel.empty() && system.empty())
      refuse(table,
             "a signature needs a condition: expected exit, signal, text, line, kernel or system");
    file_.samples.push_back(samples(table, one));
    file_.signatures.push_back(one);
  }

  void patterns(const toml::table& table, const char* key, std::vector<LineCondition>& into) {
    std::string why;
    const auto read = [&](const toml::node& node) {
      const auto* text = node.as_string();
      if (text == nullptr || text->get().empty()) return false;
      // Compiled again where a line may match it: few ever are.
      const auto pattern = LinePattern::compile(text->get());
      if (!pattern) why = "; '" + text->get() + "': " + pattern.error();
      if (pattern)
        into.push_back(
            {memory_->keep(LinePattern::required_text(text->get())), memory_->keep(text->get())});
      return why.empty();
    };
    each(table, key, "extended regular expressions, as grep -E", read, &why);
  }

  // The key's value, or each one of an array. `why` adds to the message what is wrong.
  void each(const toml::table& table, const char* key, const std::string& expected,
            const std::function<bool(const toml::node&)>& read, const std::string* why = nullptr) {
    const auto* node = table.get(key);
    if (node == nullptr) return;
    const auto checked = [&](const toml::node& one) {
      if (error_.empty() && !read(one))
        refuse(one, "'" + std::string(key) + "': expected one or an array of " + expected +
                        (why != nullptr ? *why : ""));
    };
    const auto* array = node->as_array();
    if (array == nullptr) return checked(*node);
    if (array->empty() || array->size() > kMostValues)
      return refuse(*node, "'" + std::string(key) + "': expected 1 to " +
                               std::to_string(kMostValues) + " values");
    for (const auto& one : *array) checked(one);
  }

  template <class Allowed>
  std::string_view line(const toml::table& table, const char* key, Allowed allowed,
                        const std::string& expected) {
    const auto* node = table.get(key);
    if (node == nullptr) {
      refuse(table, "a signature needs '" + std::string(key) + "': " + expected);
      return {};
    }
    const auto* text = node->as_string();
    if (text == nullptr || !allowed(text->get())) {
      refuse(*node, "'" + std::string(key) + "': " + expected);
      return {};
    }
    return memory_->keep(text->get());
  }

  std::vector<Sample> samples(const toml::table& table, const Signature& one) {
    std::vector<Sample> samples;
    std::vector<std::string> kernel;
    const auto text_of = [](const toml::node& node) {
      return node.is_string() ? node.as_string()->get() : std::string();
    };
    each(table, "kernel_sample", "strings", [&](const toml::node& node) {
      kernel.push_back(text_of(node));
      return node.is_string();
    });
    const toml::node* place = table.get(table.contains("sample") ? "sample" : "kernel_sample");
    each(table, "sample", "strings", [&](const toml::node& node) {
      samples.push_back({lines_of(text_of(node)), kernel});
      return node.is_string();
    });
    if (samples.empty() && !kernel.empty()) samples.push_back({{}, kernel});
    for (const auto& sample : samples) {
      std::string evidence;
      bool from_kernel = false;
      if (error_.empty() && !matches(one, facts_of(one, sample), evidence, from_kernel))
        refuse(*place, "'sample': '" + std::string(one.name) +
                           "' does not match it: expected lines that contain its text or line");
    }
    return samples;
  }

  std::string path_;
  SignatureFile file_;
  std::shared_ptr<SignatureMemory> memory_ = std::make_shared<SignatureMemory>();
  std::string error_;
};

}  // namespace

Result<SignatureFile> parse_signatures(std::string_view text, const std::string& path) {
  const auto parsed = parse_toml(text, path);
  if (!parsed) return Error{parsed.error()};
  return Reader(path).read(*parsed);
}

Result<SignatureFile> read_signatures(const std::string& path) {
  const auto text = read_text_file(path, kLargestFile);
  if (!text) return Error{path + ": " + text.error()};
  return parse_signatures(*text, path);
}

}  // namespace ddp::diagnosis
