#include "launcher/os/space.hpp"

#include "launcher/os/interfaces.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>

using namespace ddp;

namespace {

// A root with files of our own.
struct Root {
  std::filesystem::path path = test::make_temp_dir();
  void file(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path / name).parent_path());
    test::write_file(path / name, text);
  }
};

constexpr std::uint64_t kMiB = 1 << 20;

}  // namespace

TEST_CASE("a file system has space, and what is not there has none") {
  const auto space = os::space_at("/");
  REQUIRE(space);
  CHECK(space->total > 0);
  CHECK(space->available <= space->total);
  CHECK_FALSE(os::space_at("/no/such/path"));
  CHECK(errno == ENOENT);
}

TEST_CASE("the tightest cgroup above this process counts: v2") {
  const Root root;
  root.file("proc/self/cgroup", "0::/a/b\n");
  CHECK_FALSE(os::cpu_quota(root.path));
  CHECK_FALSE(os::memory_limit(root.path));
  root.file("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  root.file("sys/fs/cgroup/a/b/memory.max", "max\n");
  CHECK_FALSE(os::cpu_quota(root.path));
  CHECK_FALSE(os::memory_limit(root.path));
  root.file("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  root.file("sys/fs/cgroup/a/memory.max", "209715200\n");
  root.file("sys/fs/cgroup/a/memory.current", "104857600\n");
  CHECK(os::cpu_quota(root.path) == 1.5);
  const auto limit = os::memory_limit(root.path);
  REQUIRE(limit);
  CHECK(limit->limit == 200 * kMiB);
  CHECK(limit->used == 100 * kMiB);
  root.file("sys/fs/cgroup/a/b/memory.max", "52428800\n");
  root.file("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  CHECK(os::memory_limit(root.path)->limit == 50 * kMiB);
  CHECK(os::cpu_quota(root.path) == 0.5);
}

TEST_CASE("the tightest cgroup above this process counts: v1, in a container") {
  const Root root;
  root.file("proc/self/cgroup", "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n");
  root.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK_FALSE(os::cpu_quota(root.path));
  CHECK_FALSE(os::memory_limit(root.path));
  root.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  root.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
  root.file("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n");
  CHECK(os::cpu_quota(root.path) == 2);
  CHECK(os::memory_limit(root.path)->limit == 100 * kMiB);
}

TEST_CASE("the memory that is available, RDMA devices and interfaces") {
  const Root root;
  CHECK_FALSE(os::memory_available(root.path));
  root.file("proc/meminfo", "MemTotal:  4096 kB\nMemFree: 10 kB\nMemAvailable:    2048 kB\n");
  CHECK(os::memory_available(root.path) == 2 * kMiB);
  CHECK_FALSE(os::has_rdma(root.path));
  root.file("sys/class/infiniband/mlx5_0", "");
  CHECK(os::has_rdma(root.path));
  const auto interfaces = os::interfaces();
  const auto loopback = std::count_if(interfaces.begin(), interfaces.end(),
                                      [](const os::Interface& one) { return one.name == "lo"; });
  CHECK(loopback <= 1);
}
