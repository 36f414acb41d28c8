#include "launcher/preflight/preflight.hpp"

#include "launcher/base/memory_size.hpp"
#include "launcher/settings/comma_list.hpp"

#include <fmt/core.h>

#include <sys/resource.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace ddp {
namespace {

using core::Finding;
using Level = Finding::Level;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// PyTorch's data loaders pass batches through shared memory, and NCCL has buffers there for each
// pair of ranks: a container's usual 64 MiB are too few for four ranks.
constexpr std::uint64_t kSharedMemory = 256 * kMiB;      // for each rank
constexpr std::uint64_t kLeastSharedMemory = 32 * kMiB;  // less is certain to fail
constexpr std::uint64_t kDisk = 1024 * kMiB;             // free
constexpr std::uint64_t kMemory = 512 * kMiB;            // for each rank: Python with PyTorch
constexpr std::uint64_t kOpenFiles = 1024;               // of each rank
constexpr std::uint64_t kLaunchFiles = 32;               // of the launcher
constexpr std::uint64_t kLaunchFilesForRank = 5;         // of the launcher, for each rank
constexpr std::uint64_t kLockedMemory = 1024 * kMiB;     // what RDMA registers
constexpr double kHopelessThreads = 16;                  // for each CPU

constexpr const char* kWantedInterface = "an interface that is up";

std::string ranks_of(int nproc) { return nproc == 1 ? "1 rank" : fmt::format("{} ranks", nproc); }

std::string each(std::uint64_t bytes, int nproc) {
  const std::string one = memory_size(bytes);
  if (nproc == 1) return one;
  return fmt::format("{}: {} for each rank", memory_size(bytes * static_cast<std::uint64_t>(nproc)),
                     one);
}

std::string one_each(int nproc) { return fmt::format("{}: one for each rank", nproc); }

std::string limit_text(std::uint64_t bytes) {
  return bytes == RLIM_INFINITY ? "unlimited" : memory_size(bytes);
}

std::string count_text(std::uint64_t count) {
  return count == RLIM_INFINITY ? "unlimited" : std::to_string(count);
}

Finding fine(std::string check, std::string found, std::string wanted) {
  return {
      .check = std::move(check), .found = std::move(found), .wanted = std::move(wanted), .fix = {}};
}

class Judge {
 public:
  explicit Judge(const PreflightFacts& facts) : facts_(facts) {}

  std::vector<Finding> run() {
    shared_memory();
    open_files();
    locked_memory();
    core_files();
    for (const auto& disk : facts_.disks) this->disk(disk);
    rendezvous();
    for (const auto& choice : facts_.choices) interface(choice);
    cpus();
    memory();
    devices();
    device_use();
    return std::move(findings_);
  }

 private:
  void shared_memory() {
    constexpr const char* kCheck = "shared memory";
    const bool used = facts_.python || facts_.devices > 0;
    const auto nproc = static_cast<std::uint64_t>(facts_.nproc);
    const std::string wanted = each(kSharedMemory, facts_.nproc);
    const std::string fix =
        "data loaders of PyTorch and NCCL share memory there; in Docker, start the container with "
        "--shm-size or --ipc=host";
    if (facts_.no_shared_memory) {
      add({kCheck, "no /dev/shm", wanted, fix, used ? Level::warn : Level::ok, used});
    } else if (facts_.shared_memory) {
      const auto available = facts_.shared_memory->available;
      const bool short_of_it = used && available / nproc < kSharedMemory;
      add({kCheck, memory_size(available) + " free in /dev/shm", wanted, fix,
           short_of_it ? Level::warn : Level::ok,
           short_of_it && available / nproc < kLeastSharedMemory});
    }
  }

  void open_files() {
    if (!facts_.open_files || !facts_.most_open_files) return;
    const auto needed =
        kLaunchFiles + kLaunchFilesForRank * static_cast<std::uint64_t>(facts_.nproc);
    if (*facts_.most_open_files < needed) {
      add({"open files", count_text(*facts_.most_open_files) + " for the launcher",
           fmt::format("{} for {}", needed, ranks_of(facts_.nproc)),
           "raise the hard limit: ulimit -Hn; in Docker, --ulimit nofile", Level::refuse});
      return;
    }
    add({"open files", count_text(*facts_.open_files) + " for each rank",
         std::to_string(kOpenFiles), "raise the limit: ulimit -n; in Docker, --ulimit nofile",
         *facts_.open_files < kOpenFiles ? Level::warn : Level::ok});
  }

  void locked_memory() {
    if (!facts_.locked_memory) return;
    const std::string found = limit_text(*facts_.locked_memory);
    if (!facts_.rdma) return add(fine("locked memory", found, "any: there is no RDMA device"));
    const bool low = *facts_.locked_memory < kLockedMemory;
    add({"locked memory", found, "unlimited: RDMA registers its buffers",
         "ulimit -l unlimited; in Docker, --ulimit memlock=-1; under systemd, "
         "LimitMEMLOCK=infinity",
         low ? Level::warn : Level::ok, low && facts_.devices > 0});
  }

  void core_files() {
    if (!facts_.core_size) return;
    add(fine("core files",
             *facts_.core_size == 0 ? "off" : "up to " + limit_text(*facts_.core_size),
             "any: on (ulimit -c), a crash leaves a file"));
  }

  void disk(const DiskFact& disk) {
    const std::string wanted = memory_size(kDisk) + " free";
    if (!disk.writable)
      return add({disk.what, disk.path + " is not writable", "a directory that can be written to",
                  "choose another one, or change its owner or mode", Level::refuse, true});
    if (!disk.space) return add(fine(disk.what, disk.path, wanted));
    const auto available = disk.space->available;
    add({disk.what, memory_size(available) + " free at " + disk.path, wanted,
         "free some space, or choose a directory on another file system",
         available == 0      ? Level::refuse
         : available < kDisk ? Level::warn
                             : Level::ok,
         available == 0});
  }

  void rendezvous() {
    if (!facts_.rendezvous) return;
    const auto& [place, refused, warnings] = *facts_.rendezvous;
    constexpr const char* kCheck = "rendezvous";
    constexpr const char* kWanted = "an address of rank 0's machine and a free port";
    if (!refused.empty()) return add({kCheck, place, kWanted, refused, Level::refuse});
    for (const auto& warning : warnings) add({kCheck, place, kWanted, warning, Level::warn});
    if (warnings.empty()) add(fine(kCheck, place, kWanted));
  }

  void interface(const InterfaceChoice& choice) {
    const bool nccl = choice.variable.starts_with("NCCL");
    const bool used = !nccl || facts_.devices > 0;
    bool there = false;
    for (const auto& one : facts_.interfaces) {
      if (!(nccl ? nccl_chooses(choice.value, one.name) : gloo_chooses(choice.value, one.name)))
        continue;
      there = true;
      if (one.up) return add(fine(choice.variable, one.name + " is up", kWantedInterface));
    }
    std::string names;
    for (const auto& one : facts_.interfaces) {
      if (one.up) names += (names.empty() ? "" : ", ") + one.name;
    }
    add({choice.variable,
         "'" + choice.value + "': " + (there ? "is not up" : "there is no such interface"),
         kWantedInterface, names.empty() ? "unset it" : "unset it, or choose from " + names,
         used ? Level::refuse : Level::warn, used});
  }

  static bool gloo_chooses(const std::string& value, const std::string& name) {
    const auto words = split_at_commas(value);
    return std::find(words.begin(), words.end(), name) != words.end();
  }

  void cpus() {
    if (facts_.cpus == 0) return;
    constexpr const char* kCheck = "CPUs";
    const double all = static_cast<double>(facts_.cpus);
    const double usable = std::min(all, facts_.cpu_quota.value_or(all));
    std::string found = facts_.cpus == 1 ? "1 CPU" : fmt::format("{} CPUs", facts_.cpus);
    if (usable < all) found += fmt::format(", of which a cgroup allows {:.1f}", usable);
    if (facts_.bound) return add(fine(kCheck, found, "as --bind has chosen"));
    // Ranks of a group get OMP_NUM_THREADS=1 where it is not set; a single one uses all CPUs.
    if (!facts_.threads && facts_.nproc == 1) return add(fine(kCheck, found, "any"));
    const int threads = facts_.threads.value_or(1);
    const double busy = static_cast<double>(threads) * facts_.nproc;
    add({kCheck, found,
         threads == 1 ? one_each(facts_.nproc)
                      : fmt::format("{:.0f}: {} x {} threads (OMP_NUM_THREADS)", busy,
                                    ranks_of(facts_.nproc), threads),
         threads > 1 ? "lower OMP_NUM_THREADS, or start fewer ranks"
                     : "start fewer ranks, or allow more CPUs",
         busy > usable ? Level::warn : Level::ok, threads > 1 && busy > kHopelessThreads * usable});
  }

  void memory() {
    constexpr const char* kCheck = "memory";
    const std::string wanted = each(kMemory, facts_.nproc);
    const auto needed = kMemory * static_cast<std::uint64_t>(facts_.nproc);
    if (facts_.memory_limit) {
      const auto [limit, used] = *facts_.memory_limit;
      const auto left = limit > used ? limit - used : 0;
      return add({kCheck,
                  fmt::format("{} left of the cgroup's {}", memory_size(left), memory_size(limit)),
                  wanted, "raise the container's limit, or start fewer ranks",
                  left < needed ? Level::warn : Level::ok});
    }
    if (!facts_.memory_available) return;
    add({kCheck, memory_size(*facts_.memory_available) + " available, no cgroup limit", wanted,
         "stop other programs, or start fewer ranks",
         *facts_.memory_available < needed ? Level::warn : Level::ok});
  }

  void devices() {
    constexpr const char* kCheck = "devices";
    if (facts_.device_type == "cpu") return;
    const std::string type = facts_.device_type;
    if (facts_.devices == 0)
      return add(fine(kCheck, "no " + type + " device", "any: ranks may run on the CPU"));
    const bool few = facts_.devices < facts_.nproc && !facts_.share_devices;
    add({kCheck, fmt::format("{} of type {}", facts_.devices, type), one_each(facts_.nproc),
         "start fewer ranks, or share devices with --oversubscribe",
         few ? Level::warn : Level::ok});
  }

  void device_use() {
    constexpr const char* kCheck = "use of devices";
    constexpr const char* kWanted = "no other process";
    if (!facts_.device_use) return;
    const DeviceUse& use = *facts_.device_use;
    if (!use.unreadable.empty())
      return add({kCheck, "not known: " + use.unreadable, kWanted,
                  "in a container, let it have the driver's utilities "
                  "(NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
                  Level::warn});
    bool any = false;
    for (const auto& device : use.report) {
      for (const auto& user : device.users) {
        any = true;
        const auto command = use.commands.find(user.pid);
        add({kCheck,
             fmt::format(
                 "device {}: {} (pid {}{})", device.index,
                 command == use.commands.end() ? "a process not visible here" : command->second,
                 user.pid, user.bytes == 0 ? "" : ", " + memory_size(user.bytes)),
             kWanted, "stop it, or choose other devices with --devices", Level::warn});
      }
    }
    if (!any) add(fine(kCheck, "none", kWanted));
  }

  void add(Finding finding) {
    if (finding.level == Level::ok) finding.fix.clear();
    findings_.push_back(std::move(finding));
  }

  const PreflightFacts& facts_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<core::Finding> judge(const PreflightFacts& facts) { return Judge(facts).run(); }

bool nccl_chooses(const std::string& value, const std::string& name) {
  std::string_view list = value;
  const bool all_but = list.starts_with('^');
  if (all_but) list.remove_prefix(1);
  const bool exact = list.starts_with('=');
  if (exact) list.remove_prefix(1);
  const auto words = split_at_commas(list);
  const bool listed = std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return !word.empty() && (exact ? name == word : name.starts_with(word));
  });
  return listed != all_but;
}

}  // namespace ddp
