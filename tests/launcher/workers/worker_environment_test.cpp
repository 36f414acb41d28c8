#include "launcher/workers/worker_environment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

namespace {

using namespace ddp;

WorkerSpec four_workers() {
  WorkerSpec spec;
  spec.ranks.nproc = 4;
  spec.rendezvous.run_id = "r1";
  spec.max_restarts = 3;
  spec.options.command = {"./worker"};
  return spec;
}

const WorkerSlot kSlot{.local_rank = 2,
                       .generation = 1,
                       .master_port = 4711,
                       .run_dir = "/run/x",
                       .notify_socket = "/run/x/notify.2",
                       .error_file = "/run/x/attempt_1/2/error.json"};

std::map<std::string, std::string> table(const WorkerSpec& spec, const WorkerSlot& slot,
                                         std::vector<const char*> parent = {}) {
  parent.push_back(nullptr);
  std::map<std::string, std::string> variables;
  for (const auto& entry : worker_environment(spec, slot, parent.data())) {
    const auto equals = entry.find('=');
    REQUIRE(equals != std::string::npos);
    // Twice the same name: which one a program sees would be chance.
    CHECK(variables.emplace(entry.substr(0, equals), entry.substr(equals + 1)).second);
  }
  return variables;
}

}  // namespace

TEST_CASE("a worker is given torchrun's variables and ours, exactly these") {
  const std::map<std::string, std::string> expected{
      {"RANK", "2"},
      {"LOCAL_RANK", "2"},
      {"WORLD_SIZE", "4"},
      {"LOCAL_WORLD_SIZE", "4"},
      {"GROUP_RANK", "0"},
      {"GROUP_WORLD_SIZE", "1"},
      {"ROLE_NAME", "default"},
      {"ROLE_RANK", "2"},
      {"ROLE_WORLD_SIZE", "4"},
      {"MASTER_ADDR", "127.0.0.1"},
      {"MASTER_PORT", "4711"},
      {"TORCHELASTIC_RUN_ID", "r1"},
      {"TORCHELASTIC_RESTART_COUNT", "1"},
      {"TORCHELASTIC_MAX_RESTARTS", "3"},
      {"TORCHELASTIC_USE_AGENT_STORE", "False"},
      {"TORCHELASTIC_ERROR_FILE", "/run/x/attempt_1/2/error.json"},
      {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"},
      {"NCCL_ASYNC_ERROR_HANDLING", "1"},
      {"NCCL_DEBUG", "WARN"},
      {"OMP_NUM_THREADS", "1"},
      {"PYTHONUNBUFFERED", "1"},
      {"DDP_RUN_DIR", "/run/x"},
      {"DDP_RUN_ID", "r1"},
      {"NOTIFY_SOCKET", "/run/x/notify.2"},
  };
  CHECK(table(four_workers(), kSlot) == expected);
}

TEST_CASE("two nodes of two: ranks 0 1 2 3, local ranks 0 1 0 1") {
  WorkerSpec spec = four_workers();
  spec.ranks.nproc = 2;
  spec.ranks.nnodes = 2;
  std::vector<std::string> ranks;
  std::vector<std::string> local_ranks;
  for (const int node : {0, 1}) {
    spec.ranks.node_rank = node;
    for (const int local_rank : {0, 1}) {
      WorkerSlot slot = kSlot;
      slot.local_rank = local_rank;
      const auto env = table(spec, slot);
      ranks.push_back(env.at("RANK"));
      local_ranks.push_back(env.at("LOCAL_RANK"));
      CHECK(env.at("WORLD_SIZE") == "4");
      CHECK(env.at("LOCAL_WORLD_SIZE") == "2");
      CHECK(env.at("GROUP_RANK") == std::to_string(node));
      CHECK(env.at("GROUP_WORLD_SIZE") == "2");
    }
  }
  CHECK(ranks == std::vector<std::string>{"0", "1", "2", "3"});
  CHECK(local_ranks == std::vector<std::string>{"0", "1", "0", "1"});
}

TEST_CASE("the parent's environment is passed on, and what the launcher sets replaces it") {
  const auto env = table(four_workers(), kSlot, {"HOME=/root", "RANK=99", "EMPTY=", "RANKS=7"});
  CHECK(env.at("HOME") == "/root");
  CHECK(env.at("RANK") == "2");
  CHECK(env.at("EMPTY").empty());
  CHECK(env.at("RANKS") == "7");
}

TEST_CASE("what a user has set himself stays: threads and NCCL's error handling") {
  const auto env =
      table(four_workers(), kSlot, {"OMP_NUM_THREADS=8", "TORCH_NCCL_ASYNC_ERROR_HANDLING=0"});
  CHECK(env.at("OMP_NUM_THREADS") == "8");
  CHECK(env.at("TORCH_NCCL_ASYNC_ERROR_HANDLING") == "0");
  CHECK(env.count("NCCL_ASYNC_ERROR_HANDLING") == 0);
  const auto old = table(four_workers(), kSlot, {"NCCL_ASYNC_ERROR_HANDLING=0"});
  CHECK(old.at("NCCL_ASYNC_ERROR_HANDLING") == "0");
  CHECK(old.count("TORCH_NCCL_ASYNC_ERROR_HANDLING") == 0);
  WorkerSpec alone = four_workers();
  alone.ranks.nproc = 1;
  WorkerSlot slot = kSlot;
  slot.local_rank = 0;
  CHECK(table(alone, slot).count("OMP_NUM_THREADS") == 0);
}

TEST_CASE("the size of a terminal is set where there is one and the user has not set it") {
  CHECK(table(four_workers(), kSlot).count("COLUMNS") == 0);
  WorkerSlot slot = kSlot;
  slot.columns = 76;
  slot.lines = 24;
  CHECK(table(four_workers(), slot).at("COLUMNS") == "76");
  CHECK(table(four_workers(), slot).at("LINES") == "24");
  CHECK(table(four_workers(), slot, {"COLUMNS=40", "LINES=9"}).at("COLUMNS") == "40");
  CHECK(table(four_workers(), slot, {"COLUMNS=40", "LINES=9"}).at("LINES") == "9");
}

TEST_CASE("a bound rank gets a thread for each of its cores, unless the user has set a number") {
  WorkerSpec spec = four_workers();
  spec.places.assign(4, {.cpus = {0, 1, 2, 3}, .nodes = {0}, .threads = 2});
  CHECK(table(spec, kSlot).at("OMP_NUM_THREADS") == "2");
  CHECK(table(spec, kSlot, {"OMP_NUM_THREADS=8"}).at("OMP_NUM_THREADS") == "8");
  spec.ranks.nproc = 1;
  WorkerSlot slot = kSlot;
  slot.local_rank = 0;
  CHECK(table(spec, slot).at("OMP_NUM_THREADS") == "2");
}

TEST_CASE("NCCL warns and answers at an address of the launch, unless the user has chosen") {
  WorkerSlot slot = kSlot;
  CHECK(table(four_workers(), slot).count("NCCL_RAS_ADDR") == 0);  // no port could be reserved
  slot.nccl.ras_address = "127.0.0.1:4712";
  CHECK(table(four_workers(), slot).at("NCCL_RAS_ADDR") == "127.0.0.1:4712");
  CHECK(table(four_workers(), slot, {"NCCL_RAS_ENABLE=1"}).count("NCCL_RAS_ADDR") == 1);
  CHECK(table(four_workers(), slot, {"NCCL_RAS_ENABLE=0"}).count("NCCL_RAS_ADDR") == 0);
  const auto env =
      table(four_workers(), slot, {"NCCL_DEBUG=INFO", "NCCL_RAS_ADDR=localhost:28028"});
  CHECK(env.at("NCCL_DEBUG") == "INFO");
  CHECK(env.at("NCCL_RAS_ADDR") == "localhost:28028");
}

TEST_CASE("PyTorch's flight recorder records where a hang limit is set") {
  const std::vector<const char*> names{
      "TORCH_FR_BUFFER_SIZE",         "TORCH_NCCL_TRACE_BUFFER_SIZE",
      "TORCH_NCCL_DUMP_ON_TIMEOUT",   "TORCH_NCCL_DEBUG_INFO_TEMP_FILE",
      "TORCH_FR_DUMP_TEMP_FILE",      "TORCH_NCCL_DEBUG_INFO_PIPE_FILE",
      "TORCH_FR_DEBUG_INFO_PIPE_FILE"};
  WorkerSlot slot = kSlot;
  slot.nccl.trace_prefix = "/d/nccl_trace_rank_";
  slot.nccl.trace_pipes = "/p/nccl_trace_rank_";
  for (const char* name : names) CHECK(table(four_workers(), slot).count(name) == 0);
  slot.nccl.records_flight = true;
  auto env = table(four_workers(), slot);
  CHECK(env.at("TORCH_FR_BUFFER_SIZE") == "2000");
  CHECK(env.at("TORCH_NCCL_TRACE_BUFFER_SIZE") == "2000");
  CHECK(env.at("TORCH_NCCL_DUMP_ON_TIMEOUT") == "1");
  CHECK(env.at("TORCH_NCCL_DEBUG_INFO_TEMP_FILE") == "/d/nccl_trace_rank_");
  CHECK(env.at("TORCH_NCCL_DEBUG_INFO_PIPE_FILE") == "/p/nccl_trace_rank_");
  // A setting counts by either name, an empty one too.
  env = table(four_workers(), slot,
              {"TORCH_FR_BUFFER_SIZE=0", "TORCH_NCCL_DUMP_ON_TIMEOUT=0",
               "TORCH_FR_DUMP_TEMP_FILE=/t/x", "TORCH_FR_DEBUG_INFO_PIPE_FILE="});
  CHECK(env.at("TORCH_FR_BUFFER_SIZE") == "0");
  CHECK(env.count("TORCH_NCCL_TRACE_BUFFER_SIZE") == 0);
  CHECK(env.at("TORCH_NCCL_DUMP_ON_TIMEOUT") == "0");
  CHECK(env.at("TORCH_FR_DUMP_TEMP_FILE") == "/t/x");
  CHECK(env.count("TORCH_NCCL_DEBUG_INFO_TEMP_FILE") == 0);
  CHECK(env.at("TORCH_FR_DEBUG_INFO_PIPE_FILE").empty());
  CHECK(env.count("TORCH_NCCL_DEBUG_INFO_PIPE_FILE") == 0);
  slot.nccl.trace_prefix.clear();  // PyTorch's own place
  CHECK(table(four_workers(), slot).count("TORCH_NCCL_DEBUG_INFO_TEMP_FILE") == 0);
}

TEST_CASE("PYTHONUNBUFFERED is set where it is unset, and an empty value is a value") {
  CHECK(table(four_workers(), kSlot).at("PYTHONUNBUFFERED") == "1");
  CHECK(table(four_workers(), kSlot, {"PYTHONUNBUFFERED=0"}).at("PYTHONUNBUFFERED") == "0");
  CHECK(table(four_workers(), kSlot, {"PYTHONUNBUFFERED="}).at("PYTHONUNBUFFERED").empty());
}

TEST_CASE("a worker does not get a service manager's variables") {
  WorkerSlot slot = kSlot;
  slot.notify_socket.clear();
  const auto env =
      table(four_workers(), slot,
            {"NOTIFY_SOCKET=/run/systemd/notify", "WATCHDOG_USEC=1", "WATCHDOG_PID=1"});
  CHECK(env.count("NOTIFY_SOCKET") == 0);
  CHECK(env.count("WATCHDOG_USEC") == 0);
  CHECK(env.count("WATCHDOG_PID") == 0);
}

TEST_CASE("a heartbeat interval is passed on in microseconds, to whichever process has it") {
  WorkerSpec spec = four_workers();
  spec.heartbeat = std::chrono::milliseconds(1500);
  const auto env = table(spec, kSlot, {"WATCHDOG_PID=1"});
  CHECK(env.at("WATCHDOG_USEC") == "1500000");
  CHECK(env.count("WATCHDOG_PID") == 0);
}

TEST_CASE("devices go to the variable of their kind, for the group or one to each") {
  const std::pair<DeviceType, const char*> kinds[] = {
      {DeviceType::cuda, "CUDA_VISIBLE_DEVICES"},
      {DeviceType::ascend, "ASCEND_RT_VISIBLE_DEVICES"},
      {DeviceType::hip, "HIP_VISIBLE_DEVICES"},
      {DeviceType::ze, "ZE_AFFINITY_MASK"}};
  for (const auto& [kind, name] : kinds) {
    WorkerSpec spec = four_workers();
    spec.options.device_type = kind;
    CHECK(table(spec, kSlot).count(name) == 0);
    spec.options.devices = {"5", "2", "7", "0"};
    CHECK(table(spec, kSlot, {"CUDA_VISIBLE_DEVICES=9"}).at(name) == "5,2,7,0");
    CHECK(table(spec, kSlot).at("LOCAL_RANK") == "2");
    spec.options.virtual_local_rank = true;
    const auto env = table(spec, kSlot);
    CHECK(env.at(name) == "7");
    CHECK(env.at("LOCAL_RANK") == "0");
    CHECK(env.at("RANK") == "2");
  }
}

TEST_CASE("faults are handed to the worker, and a parent's are not passed on") {
  const WorkerSpec spec = four_workers();
  WorkerSlot slot = kSlot;
  CHECK(table(spec, slot, {"DDP_FAULTS=0/0:abort@rank=0,seed=0"}).count("DDP_FAULTS") == 0);
  slot.faults = "";
  CHECK(table(spec, slot).at("DDP_FAULTS").empty());
}

TEST_CASE("a campaign follows only the runs that it started, not a launcher that a worker starts") {
  CHECK(table(four_workers(), kSlot, {"DDP_CAMPAIGN_EVENTS=1:2:/proc/1/fd/9"})
            .count("DDP_CAMPAIGN_EVENTS") == 0);
}

TEST_CASE("a rank whose devices are hidden sees none, whatever others and the parent see") {
  WorkerSpec spec = four_workers();
  spec.options.devices = {"0", "1", "2", "3"};
  WorkerSlot slot = kSlot;
  slot.hide_devices = true;
  CHECK(table(spec, slot, {"CUDA_VISIBLE_DEVICES=5"}).at("CUDA_VISIBLE_DEVICES") == "-1");
  spec.options.device_type = DeviceType::hip;
  CHECK(table(spec, slot).at("HIP_VISIBLE_DEVICES") == "-1");
}

TEST_CASE("ranks that share a device are distinct to NCCL, unless the user has seen to it") {
  WorkerSpec spec = four_workers();
  CHECK(table(spec, kSlot).count("NCCL_HOSTID") == 0);
  spec.options.share_devices = true;
  const auto env = table(spec, kSlot);
  CHECK(env.at("NCCL_HOSTID") == "r1-2");
  CHECK(env.at("NCCL_MULTI_RANK_GPU_ENABLE") == "1");
  CHECK(table(spec, kSlot, {"NCCL_HOSTID=x"}).at("NCCL_HOSTID") == "x");
  CHECK(table(spec, kSlot, {"NCCL_HOSTID=x"}).count("NCCL_MULTI_RANK_GPU_ENABLE") == 0);
  CHECK(table(spec, kSlot, {"NCCL_MULTI_RANK_GPU_ENABLE=0"}).count("NCCL_HOSTID") == 0);
}
