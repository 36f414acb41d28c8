// What README.md and docs/ show of the code's own tables, between two marks.
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace ddp::test {

// The lines between "<!-- NAME -->" and "<!-- end of NAME -->"; none where a mark is missing.
inline std::optional<std::string> block(const std::string& page, const std::string& name) {
  const std::string begin = "<!-- " + name + " -->\n";
  const auto from = page.find(begin);
  const auto to = page.find("<!-- end of " + name + " -->");
  if (from == std::string::npos || to == std::string::npos || to < from) return std::nullopt;
  return page.substr(from + begin.size(), to - from - begin.size());
}

inline std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Block {
  std::string file;
  std::string text;
};
// Of README.md and every page of docs/ that has one.
inline std::vector<Block> blocks(const std::filesystem::path& root, const std::string& name) {
  std::vector<Block> found;
  const auto add = [&](const std::filesystem::path& path) {
    if (auto text = block(read(path), name)) found.push_back({path.filename().string(), *text});
  };
  add(root / "README.md");
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") add(entry.path());
  }
  return found;
}

}  // namespace ddp::test
