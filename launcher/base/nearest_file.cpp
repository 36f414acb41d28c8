#include "launcher/base/nearest_file.hpp"

#include "launcher/base/edit_distance.hpp"

#include <filesystem>

namespace ddp {

std::string nearest_file(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMostEntries = 4096;
  const std::size_t slash = path.rfind('/');
  const std::string head = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  const std::string name = path.substr(head.size());
  std::string best;
  std::size_t least = farthest_typo(name) + 1;
  std::error_code failed;
  int seen = 0;
  fs::directory_iterator entry(head.empty() ? "." : head, failed);
  for (; !failed && entry != fs::directory_iterator() && seen < kMostEntries;
       entry.increment(failed), ++seen) {
    const std::string candidate = entry->path().filename();
    std::error_code unknown;
    if (entry->is_directory(unknown)) continue;
    const std::size_t far = edit_distance(name, candidate);
    if (far < least || (far == least && candidate < best)) {
      least = far;
      best = candidate;
    }
  }
  return best.empty() ? "" : head + best;
}

}  // namespace ddp
