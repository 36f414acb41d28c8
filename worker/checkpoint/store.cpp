#include "worker/checkpoint/store.hpp"

#include "common/client/fault_points.hpp"
#include "worker/base/failure.hpp"
#include "worker/checkpoint/file.hpp"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>

namespace ddp::worker {
namespace {

constexpr std::string_view kData = ".safetensors";
constexpr std::string_view kMarker = ".ok";
constexpr std::string_view kTemporary = ".tmp";
constexpr int kStepDigits = 10;
constexpr int kTagDigits = 8;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// One line with the size in bytes and the digest: a damaged marker practically never matches the
// file.
std::string marker_text(std::size_t size, const Digest& digest) {
  return "bytes " + std::to_string(size) + " xxh3 " + to_text(digest) + "\n";
}

using Pieces = std::vector<std::span<const std::byte>>;

Pieces first_bytes(const Pieces& pieces, std::size_t count) {
  Pieces first;
  for (const auto piece : pieces) {
    first.push_back(piece.first(std::min(piece.size(), count)));
    count -= first.back().size();
  }
  return first;
}

// `pieces` with one bit of the byte at `position` changed; that piece is in `changed`.
Pieces with_changed_byte(const Pieces& pieces, std::size_t position, std::byte& changed) {
  Pieces all;
  std::size_t begin = 0;
  for (const auto piece : pieces) {
    const std::size_t at = position - begin;  // huge when `position` is before `begin`
    begin += piece.size();
    if (at >= piece.size()) {
      all.push_back(piece);
      continue;
    }
    changed = piece[at] ^ std::byte{1};
    all.push_back(piece.first(at));
    all.emplace_back(&changed, 1);
    all.push_back(piece.subspan(at + 1));
  }
  return all;
}

std::vector<std::string> names_in(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), &::closedir);
  if (!dir) throw Failure("checkpoint: cannot read '" + directory + "': " + std::strerror(errno));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) names.emplace_back(entry->d_name);
  return names;
}

}  // namespace

CheckpointStore::CheckpointStore(std::string directory, int keep, const Layout& layout,
                                 Configuration configuration)
    : directory_(std::move(directory)),
      keep_(std::max(1, keep)),
      layout_(layout),
      configuration_(std::move(configuration)) {
  std::string text;
  for (const auto& [name, value] : configuration_) text += name + "=" + value + "\n";
  tag_ = to_text(digest_of(bytes_of(text))).substr(0, kTagDigits);
  prepare_directory(directory_);
  // Removes what a killed writer left. Only names of this configuration: another run may be writing
  // in the same directory.
  for (const std::string& name : names_in(directory_)) {
    if (name.ends_with(tag_ + std::string(kTemporary))) {
      remove_file(path(name));
      unfinished_.push_back(name);
    }
  }
}

std::string CheckpointStore::stem(std::int64_t step) const {
  char number[32];
  std::snprintf(number, sizeof number, "%0*lld", kStepDigits, static_cast<long long>(step));
  return "step-" + std::string(number) + "-" + tag_;
}

std::vector<CheckpointStore::Entry> CheckpointStore::entries() const {
  std::vector<Entry> found;
  for (const std::string& name : names_in(directory_)) {
    long long step = 0;
    char tag[kTagDigits + 1] = {};
    int used = 0;
    if (!name.ends_with(kData) ||
        std::sscanf(name.c_str(), "step-%10lld-%8[0-9a-f]%n", &step, tag, &used) != 2 ||
        static_cast<std::size_t>(used) + kData.size() != name.size() || step < 0)
      continue;
    found.push_back({step, name.substr(0, static_cast<std::size_t>(used)), tag == tag_});
  }
  // For the same step, this configuration's first.
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(a.step, a.own, a.stem) > std::tuple(b.step, b.own, b.stem);
  });
  return found;
}

CheckpointStore::Loaded CheckpointStore::load(const Entry& entry) const {
  std::string why;
  const std::string name = entry.stem + std::string(kData);
  const auto marker = read_whole(path(entry.stem + std::string(kMarker)), why);
  if (!marker) throw Refusal{"was not completed: its marker cannot be read: " + why};
  const auto file = read_whole(path(name), why);
  if (!file) throw Refusal{"cannot be read: " + why};
  const std::string_view expected(reinterpret_cast<const char*>(marker->data()), marker->size());
  const std::string found = marker_text(file->size(), digest_of(*file));
  if (found != expected) {
    const std::string_view size = std::string_view(found).substr(0, found.find(" xxh3"));
    throw Refusal{expected.starts_with(size) ? "is damaged: its digest is not its marker's"
                                             : "is torn: its size is not its marker's"};
  }
  Loaded loaded;
  loaded.progress = decode(layout_, configuration_, *file, loaded.state);
  loaded.name = name;
  if (loaded.progress.step != entry.step)
    throw Refusal{"is of step " + std::to_string(loaded.progress.step) + ", its name says " +
                  std::to_string(entry.step)};
  return loaded;
}

std::optional<CheckpointStore::Loaded> CheckpointStore::load_newest(
    const std::function<void(const std::string&, const std::string&)>& refused) const {
  for (const std::string& name : unfinished_)
    refused(path(name), "was cut off while it was written, and is removed");
  for (const Entry& entry : entries()) {
    try {
      return load(entry);
    } catch (const Refusal& refusal) {
      refused(path(entry.stem + std::string(kData)), refusal.reason);
    }
  }
  return std::nullopt;
}

std::string CheckpointStore::save(const Progress& progress, const TrainingState& state,
                                  const std::optional<Damage>& damage) {
  const std::string base = stem(progress.step);
  const std::string name = base + std::string(kData);
  try {
    load({progress.step, base, true});
    return name;
  } catch (const Refusal&) {
    // Missing or incomplete: written again.
  }
  const std::string header = encode_header(layout_, progress, configuration_);
  Pieces parts{bytes_of(header)};
  for (const auto piece : pieces(layout_, state)) parts.push_back(piece);
  DigestStream digest;
  std::size_t size = 0;
  for (const auto part : parts) {
    digest.add(part);
    size += part.size();
  }
  const std::string marker = marker_text(size, digest.value());
  const std::string temporary = base + std::string(kTemporary);
  std::byte changed{};
  if (damage && damage->cut) {
    write_and_sync(path(temporary), first_bytes(parts, size / 2));
    fault::die();
  } else if (damage) {
    parts = with_changed_byte(parts, damage->choice % size, changed);
  }
  remove_file(path(base + std::string(kMarker)));
  write_durably(directory_, name, temporary, parts);
  write_durably(directory_, base + std::string(kMarker), temporary, {bytes_of(marker)});
  prune(progress.step);
  return name;
}

void CheckpointStore::prune(std::int64_t newest_step) const {
  int kept = 0;
  for (const Entry& entry : entries()) {
    // Checkpoints that are newer than this one were rejected when the run began: they stay for
    // inspection.
    if (!entry.own || entry.step > newest_step || ++kept <= keep_) continue;
    remove_file(path(entry.stem + std::string(kMarker)));
    remove_file(path(entry.stem + std::string(kData)));
  }
}

}  // namespace ddp::worker
