#include "tests/support/temp_dir.hpp"

#include "tests/support/temp_base.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

namespace ddp::test {
namespace {

std::vector<std::filesystem::path>& directories_of_case() {
  static std::vector<std::filesystem::path> directories;
  return directories;
}

// doctest reports to a listener how a test case ended; a destructor inside the case cannot know.
struct RemoveAfterSuccess : doctest::IReporter {
  explicit RemoveAfterSuccess(const doctest::ContextOptions&) {}

  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    for (const auto& directory : directories_of_case()) {
      std::error_code ignored;  // a leftover directory in TMPDIR is no reason to fail a test
      if (stats.failure_flags == doctest::TestCaseFailureReason::None) {
        std::filesystem::remove_all(directory, ignored);
      } else {
        std::fprintf(stderr, "kept for inspection: %s\n", directory.c_str());
      }
    }
    directories_of_case().clear();
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("remove_temp_dirs", 1, RemoveAfterSuccess);

}  // namespace

std::filesystem::path make_temp_dir() {
  std::string path = (temp_base() / "ddp-test-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + path);
  }
  directories_of_case().emplace_back(path);
  return path;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::system_error(errno, std::generic_category(), "read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) throw std::system_error(errno, std::generic_category(), "write " + path.string());
}

void write_script(const std::filesystem::path& path, std::string_view content) {
  write_file(path, content);
  using std::filesystem::perms;
  std::filesystem::permissions(path, perms::owner_all | perms::group_read | perms::group_exec |
                                         perms::others_read | perms::others_exec);
}

}  // namespace ddp::test
