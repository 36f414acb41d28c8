#include "launcher/cli/flags.hpp"

#include "launcher/cli/options_check.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/rendezvous/run_id.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

using namespace ddp;

namespace {

constexpr const char* kReferencePage = DDP_SOURCE_DIR "/docs/command-line.md";

std::string reference_page() {
  std::ifstream file(kReferencePage);
  REQUIRE(file);
  std::stringstream page;
  page << file.rdbuf();
  return page.str();
}

using Names = std::vector<std::string>;

// The flags that the rooms look for when a command line is read.
SettingsReader::Names names_read() {
  SettingsReader::Names reads;
  const Settings settings;
  const Machine machine{.get_env = [](const char*) { return nullptr; }};
  REQUIRE(check_options(SettingsReader(settings, &reads), {"./worker"}, machine));
  return reads;
}

// Those of the table that are not among `reads`. A flag that is no key of a configuration file is
// handled before the rooms see any.
Names unread(std::span<const FlagSpec> table, const SettingsReader::Names& reads) {
  Names missing;
  for (const FlagSpec& spec : table) {
    if (spec.kind != ValueKind::shell_only && !reads.contains(first_name(spec)))
      missing.emplace_back(first_name(spec));
  }
  return missing;
}

}  // namespace

TEST_CASE("no name is used twice, and each flag has a help text and a default") {
  std::set<std::string_view> names;
  for (const FlagSpec& spec : flag_table()) {
    CHECK(first_name(spec).starts_with("--"));
    for_each_name(spec, [&](std::string_view name) {
      CHECK(names.insert(name).second);
      CHECK(name.find('_') == std::string_view::npos);
    });
    CHECK_FALSE(spec.help.empty());
    CHECK((spec.kind == ValueKind::toggle || spec.kind == ValueKind::shell_only ||
           !spec.fallback.empty()));
  }
}

TEST_CASE("a long name is found in both spellings, a short one never") {
  CHECK(first_name(*find_flag("nproc")) == "--nproc");
  CHECK(first_name(*find_flag("nproc_per_node")) == "--nproc");
  CHECK(first_name(*find_flag("grace-period")) == "--shutdown-timeout");
  for (const char* none : {"", "r", "-r", "--nproc", "np", "nproc-", "Nproc"})
    CHECK(find_flag(none) == nullptr);
}

TEST_CASE("a near miss is suggested, a far one is not") {
  const std::pair<const char*, const char*> near[] = {{"--npoc", "--nproc"},
                                                      {"--nnode", "--nnodes"},
                                                      {"--max-restart", "--max-restarts"},
                                                      {"--max_restart", "--max-restarts"},
                                                      {"--log_dri", "--log-dir"},
                                                      {"--virtual", "--virtual-local-rank"},
                                                      {"--master-adr", "--master-addr"},
                                                      {"--hlep", "--help"}};
  for (const auto& [given, meant] : near)
    CHECK(did_you_mean_flag(given) == " (did you mean " + std::string(meant) + "?)");
  for (const char* far : {"--x", "--bogus", "--batch-size", "--learning-rate", "-q"})
    CHECK(did_you_mean_flag(far).empty());
}

TEST_CASE("--help shows every flag and every exit code, in lines that fit") {
  const std::string text = help_text();
  for (const FlagSpec& spec : flag_table())
    for_each_name(spec, [&](std::string_view name) {
      CHECK(text.find(std::string(name)) != std::string::npos);
    });
  for (const auto& row : core::exit_code_table())
    CHECK(text.find("\n  " + std::string(row.code) + " ") != std::string::npos);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CHECK(line.size() <= 100);
    CHECK_FALSE(line.ends_with(' '));
  }
}

TEST_CASE("each flag is read by exactly the room that declares it, and no other name is read") {
  const SettingsReader::Names reads = names_read();
  CHECK(unread(flag_table(), reads) == Names{});
  for (const std::string& name : reads) {
    CAPTURE(name);
    CHECK((find_flag(name.substr(2)) != nullptr && first_name(*find_flag(name.substr(2))) == name));
  }
}

TEST_CASE("a flag that no room reads is found") {
  std::vector<FlagSpec> table(flag_table().begin(), flag_table().end());
  table.push_back({"--forgotten,-f", "N", ValueKind::number, "1", "Workers", "is never read"});
  CHECK(unread(table, names_read()) == Names{"--forgotten"});
}

// docs/command-line.md holds the table between two marks; DDP_UPDATE_DOCS=1 writes it anew.
TEST_CASE("the reference page holds exactly the flags there are") {
  const std::string text = reference_page();
  const std::string begin = "<!-- flags -->\n";
  const std::string end = "<!-- end of flags -->";
  const std::size_t from = text.find(begin);
  const std::size_t to = text.find(end);
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  const std::string table = text.substr(from + begin.size(), to - from - begin.size());
  if (std::getenv("DDP_UPDATE_DOCS") != nullptr) {
    std::ofstream(kReferencePage) << text.substr(0, from + begin.size()) << flags_markdown()
                                  << text.substr(to);
    return;
  }
  INFO("run this test with DDP_UPDATE_DOCS=1 to write the page; it should hold:\n"
       << flags_markdown());
  CHECK(table == flags_markdown());
}

TEST_CASE("the reference page names the flags that are no key of a configuration file") {
  std::string expected;
  for (const auto& spec : flag_table()) {
    if (spec.kind != ValueKind::shell_only) continue;
    expected += (expected.empty() ? "`" : ", `") + std::string(first_name(spec).substr(2)) + "`";
  }
  std::string page = reference_page();
  std::replace(page.begin(), page.end(), '\n', ' ');  // the page is wrapped
  CHECK(page.find("(except " + expected + ")") != std::string::npos);
}

TEST_CASE("a run's name is safe as a file name") {
  for (const char* good : {"a", "7", "_x", "night-7.b", "A_b-C.1"}) CHECK(is_run_id(good));
  CHECK(is_run_id(std::string(64, 'x')));
  for (const char* bad : {"", ".", "..", ".x", "-x", "a/b", "a b", "a\n", "\xc3\xa9", "a:b", "a*"})
    CHECK_FALSE(is_run_id(bad));
  CHECK_FALSE(is_run_id(std::string(65, 'x')));
}

TEST_CASE("generated names are good, and differ within one second") {
  std::set<std::string> names;
  for (int i = 0; i < 50; ++i) {
    const std::string name = generate_run_id();
    CHECK(is_run_id(name));
    CHECK(name.size() == std::string("20261123-205700-x7kq").size());
    names.insert(name);
  }
  CHECK(names.size() >= 49);  // one pair alike in 50: 1 to 900; two pairs: never
}
