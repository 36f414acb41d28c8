#include "launcher/workers/error_files.hpp"

#include <filesystem>
#include <system_error>

namespace fs = std::filesystem;

namespace ddp {
namespace {

std::string shared_directory(const std::string& private_dir, core::Generation generation) {
  return private_dir + "/errors_" + std::to_string(generation);
}

}  // namespace

std::string error_file_path(const std::string& run_dir, bool kept, core::Generation generation,
                            core::LocalRank local_rank) {
  const std::string rank = std::to_string(local_rank);
  if (!kept) return shared_directory(run_dir, generation) + "/" + rank + ".json";
  return run_dir + "/attempt_" + std::to_string(generation) + "/" + rank + "/error.json";
}

ErrorFiles::ErrorFiles(const std::string& run_dir, const std::string& private_dir, int nproc)
    : run_dir_(run_dir), private_dir_(private_dir), paths_(static_cast<std::size_t>(nproc)) {}

void ErrorFiles::begin(core::Generation generation) {
  std::error_code failed;  // then a rank cannot record its exception, and its output says why
  if (generation != generation_)
    fs::remove_all(shared_directory(private_dir_, generation_), failed);
  generation_ = generation;
  paths_.assign(paths_.size(), {});
  fs::create_directory(shared_directory(private_dir_, generation), failed);
  if (kept()) fs::create_directory(run_dir_ + "/attempt_" + std::to_string(generation), failed);
}

std::string ErrorFiles::place(core::LocalRank local_rank) {
  std::string& path = paths_.at(static_cast<std::size_t>(local_rank));
  path = error_file_path(private_dir_, false, generation_, local_rank);
  if (!kept()) return path;
  const std::string kept = error_file_path(run_dir_, true, generation_, local_rank);
  std::error_code failed;
  const bool made = fs::create_directory(fs::path(kept).parent_path(), failed);
  if (failed) return path;
  // Whatever is there was not written by this rank.
  if (!made) fs::remove(kept, failed);
  path = kept;
  return path;
}

}  // namespace ddp
