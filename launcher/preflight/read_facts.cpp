#include "launcher/preflight/read_facts.hpp"

#include "common/env_names.hpp"
#include "common/parse.hpp"
#include "launcher/os/affinity.hpp"
#include "launcher/os/child_output.hpp"
#include "launcher/os/limits.hpp"
#include "launcher/os/proc.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace ddp {
namespace {

constexpr std::chrono::seconds kDevicesLimit{10};  // a driver that is loaded first needs a few
constexpr std::array kInterfaceVariables{env::kNcclSocketInterface, env::kGlooSocketInterface};
// Of programs that take one: the worker of this project, PyTorch's examples, Hugging Face's
// trainer.
constexpr std::array<std::string_view, 6> kCheckpointFlags{"--checkpoint-dir", "--checkpoint_dir",
                                                           "--output-dir",     "--output_dir",
                                                           "--save-dir",       "--save_dir"};

bool is_python(const std::vector<std::string>& command) {
  return !command.empty() &&
         std::filesystem::path(command.front()).filename().string().starts_with("python");
}

std::optional<std::uint64_t> soft_limit(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return std::nullopt;
  return limit.rlim_cur;
}

// What the workers get: the launcher has raised its own.
std::optional<std::uint64_t> open_files_of_ranks() {
  if (const auto& before = os::descriptor_limit_at_start()) return before->rlim_cur;
  return soft_limit(RLIMIT_NOFILE);
}

std::string nearest_directory(const std::string& path) {
  std::error_code failed;
  auto at = std::filesystem::absolute(path, failed).lexically_normal();
  while (!std::filesystem::is_directory(at, failed) && at.has_relative_path())
    at = at.parent_path();
  return at.string();
}

DiskFact disk_at(std::string what, const std::string& path) {
  DiskFact fact{.what = std::move(what), .path = nearest_directory(path)};
  fact.space = os::space_at(fact.path);
  fact.writable = ::access(fact.path.c_str(), W_OK | X_OK) == 0;
  return fact;
}

// Where the program's arguments name a directory for checkpoints: "--output-dir D" or
// "--output-dir=D".
std::optional<std::string> checkpoint_directory(const std::vector<std::string>& command) {
  for (std::size_t i = 1; i < command.size(); ++i) {
    const std::string_view word = command[i];
    for (const auto flag : kCheckpointFlags) {
      if (word == flag && i + 1 < command.size()) return command[i + 1];
      if (word.starts_with(flag) && word.size() > flag.size() + 1 && word[flag.size()] == '=')
        return std::string(word.substr(flag.size() + 1));
    }
  }
  return std::nullopt;
}

std::optional<int> threads_given(const GetEnv& get_env) {
  const char* const text = get_env(env::kOmpNumThreads);
  if (text == nullptr) return std::nullopt;
  // "4,2" is one number for each level of nesting.
  const std::string_view first(text, std::strcspn(text, ","));
  const auto number = parse_integer("", first, 1, 1 << 20);
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

bool is_chosen(const PreflightRequest& request, const DeviceMemory& device) {
  if (request.chosen.empty()) return device.index < request.nproc;
  return std::any_of(request.chosen.begin(), request.chosen.end(), [&](const std::string& one) {
    return one == std::to_string(device.index) ||
           (one.starts_with("GPU-") && device.uuid.starts_with(one));
  });
}

// ddp-devices' own message comes last: the dynamic linker and the driver may have written before.
std::string last_line(std::string_view text) {
  constexpr std::string_view kName = "ddp-devices: ";
  while (text.ends_with('\n')) text.remove_suffix(1);
  text = text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
  return std::string(text.starts_with(kName) ? text.substr(kName.size()) : text);
}

DeviceUse read_device_use(const PreflightRequest& request, const std::string& program) {
  using End = os::ChildOutput::End;
  os::SpawnRequest spawn;
  spawn.program = program.empty() ? os::program_next_to_this("ddp-devices") : program;
  for (char** variable = environ; *variable != nullptr; ++variable)
    spawn.environment.emplace_back(*variable);
  const std::string name = spawn.program;
  const auto output = os::run_and_read(std::move(spawn), kDevicesLimit, true);
  DeviceUse use;
  if (output.end == End::not_started) {
    use.unreadable = "cannot run " + name + ": " + std::strerror(output.error.error_number);
  } else if (output.end != End::exited) {
    use.unreadable = output.end == End::late ? "ddp-devices has not answered in 10 s" : "stopped";
  } else if (output.code != 0) {
    use.unreadable = output.errors.empty() ? "ddp-devices failed" : last_line(output.errors);
  } else if (auto report = parse_device_report(output.text)) {
    use.report = std::move(*report);
  } else {
    use.unreadable = report.error();
  }
  std::erase_if(use.report, [&](const auto& device) { return !is_chosen(request, device); });
  for (const auto& device : use.report) {
    for (const auto& user : device.users) {
      if (const auto process = os::read_process(user.pid))
        use.commands.emplace(user.pid, process->command);
    }
  }
  return use;
}

}  // namespace

PreflightFacts read_quick_facts(const PreflightRequest& request) {
  PreflightFacts facts;
  facts.nproc = request.nproc;
  facts.python = is_python(request.command);
  facts.device_type = request.device_type;
  facts.devices = request.devices;
  facts.share_devices = request.share_devices;
  facts.bound = request.bound;
  facts.shared_memory = os::space_at("/dev/shm");
  facts.no_shared_memory = !facts.shared_memory && errno == ENOENT;
  facts.locked_memory = soft_limit(RLIMIT_MEMLOCK);
  if (facts.locked_memory != RLIM_INFINITY) facts.rdma = os::has_rdma(request.root);
  for (const char* variable : kInterfaceVariables) {
    const char* const value = request.get_env(variable);
    if (value != nullptr && *value != '\0') facts.choices.push_back({variable, value});
  }
  if (!facts.choices.empty()) facts.interfaces = os::interfaces();
  facts.threads = threads_given(request.get_env);
  if (facts.threads) facts.cpus = static_cast<int>(os::allowed_cpus().size());
  if (!request.log_dir.empty()) facts.disks.push_back(disk_at("log directory", request.log_dir));
  return facts;
}

PreflightFacts read_facts(const PreflightRequest& request, const std::string& program) {
  PreflightFacts facts = read_quick_facts(request);
  facts.open_files = open_files_of_ranks();
  facts.most_open_files = soft_limit(RLIMIT_NOFILE);
  facts.core_size = soft_limit(RLIMIT_CORE);
  facts.rdma = os::has_rdma(request.root);
  facts.cpus = static_cast<int>(os::allowed_cpus().size());
  facts.cpu_quota = os::cpu_quota(request.root);
  facts.memory_limit = os::memory_limit(request.root);
  facts.memory_available = os::memory_available(request.root);
  if (const auto directory = checkpoint_directory(request.command))
    facts.disks.push_back(disk_at("checkpoints", *directory));
  if (request.device_type == "cuda" && request.devices > 0)
    facts.device_use = read_device_use(request, program);
  return facts;
}

}  // namespace ddp
