// A directory per test case.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ddp::test {

// A new private directory under TMPDIR (temp_base.hpp). Removed when the test case ends; kept, and
// its path printed, when the test case failed.
std::filesystem::path make_temp_dir();

std::string read_file(const std::filesystem::path& path);  // throws if it cannot be read
void write_file(const std::filesystem::path& path, std::string_view content);
// write_file and mode 0755.
void write_script(const std::filesystem::path& path, std::string_view content);

}  // namespace ddp::test
