#include "launcher/options_check.hpp"

#include "common/env_names.hpp"
#include "common/parse.hpp"
#include "common/utf8.hpp"
#include "launcher/device_list.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/rank_map.hpp"
#include "launcher/run_id.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cctype>

namespace ddp {
namespace {

constexpr std::int64_t kMostWorkers = 4096;
constexpr std::int64_t kMostNodes = 65536;
constexpr std::int64_t kMostRestarts = 1'000'000;

using Failure = std::optional<Error>;

class Checker {
 public:
  Checker(const Settings& settings, std::vector<std::string> command, const Machine& machine)
      : settings_(settings), machine_(machine) {
    options_.command = std::move(command);
  }

  Result<Options> run() {
    for (const auto step :
         {&Checker::program, &Checker::toggles, &Checker::device_type, &Checker::devices,
          &Checker::workers, &Checker::device_per_rank, &Checker::nodes, &Checker::stdin_rank,
          &Checker::run_id, &Checker::restarts, &Checker::shutdown, &Checker::output,
          &Checker::files, &Checker::log_level}) {
      if (auto failure = (this->*step)()) return *failure;
    }
    return std::move(options_);
  }

 private:
  const Setting* given(Flag flag) const { return settings_.get(flag); }

  Failure integer(Flag flag, std::int64_t low, std::int64_t high, int& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto value = parse_integer(setting->what, setting->text, low, high);
    if (!value) return Error{value.error()};
    into = static_cast<int>(*value);
    return std::nullopt;
  }

  Failure duration(Flag flag, core::Nanoseconds& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    const auto value = parse_duration(setting->what, setting->text);
    if (!value) return Error{value.error()};
    into = *value;
    return std::nullopt;
  }

  template <class Value>
  Failure choice(Flag flag, std::initializer_list<std::pair<const char*, Value>> choices,
                 Value& into) const {
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    std::string allowed;
    for (auto it = choices.begin(); it != choices.end(); ++it) {
      if (setting->text == it->first) {
        into = it->second;
        return std::nullopt;
      }
      if (it != choices.begin()) allowed += it + 1 == choices.end() ? " or " : ", ";
      allowed += it->first;
    }
    return refusal(*setting, allowed);
  }

  bool toggle(Flag flag) const { return given(flag) != nullptr && given(flag)->text == "true"; }

  Failure program() {
    if (options_.command.empty())
      return Error{
          "no program is given: expected ddp-launch [options] -- PROGRAM [arguments]; see "
          "ddp-launch --help"};
    if (options_.command[0].empty())
      return Error{"the program is '': expected the name or path of an executable"};
    return std::nullopt;
  }

  Failure toggles() {
    options_.virtual_local_rank = toggle(Flag::virtual_local_rank);
    options_.dry_run = toggle(Flag::dry_run);
    return std::nullopt;
  }

  Failure device_type() {
    return choice<DeviceType>(Flag::device_type,
                              {{"cpu", DeviceType::cpu},
                               {"cuda", DeviceType::cuda},
                               {"ascend", DeviceType::ascend},
                               {"hip", DeviceType::hip},
                               {"ze", DeviceType::ze}},
                              options_.device_type);
  }

  // What the environment lets every program started here see; none: it does not say.
  std::optional<std::vector<std::string>> visible() const {
    const char* const variable = visible_devices_variable(options_.device_type);
    const char* const value = variable != nullptr ? machine_.get_env(variable) : nullptr;
    if (value == nullptr) return std::nullopt;
    return read_visible_devices(value);
  }

  Failure devices() {
    const Setting* const setting = given(Flag::devices);
    if (setting == nullptr) return std::nullopt;
    const char* const variable = visible_devices_variable(options_.device_type);
    if (variable == nullptr)
      return refusal(*setting, "no devices beside --device-type cpu, which has none to choose");
    auto list = parse_device_list(*setting, visible(), variable);
    if (!list) return Error{list.error()};
    options_.devices = std::move(*list);
    return std::nullopt;
  }

  // The devices the workers can share; none: this kind cannot be counted here.
  std::optional<int> count_devices() const {
    if (!options_.devices.empty()) return static_cast<int>(options_.devices.size());
    int installed = 0;
    switch (options_.device_type) {
      case DeviceType::cpu:
        return 0;
      case DeviceType::cuda:
        installed = os::count_cuda_devices(machine_.root);
        break;
      case DeviceType::hip:
        installed = os::count_hip_devices(machine_.root);
        break;
      case DeviceType::ascend:
        installed = os::count_ascend_devices(machine_.root);
        break;
      case DeviceType::ze:
        return std::nullopt;
    }
    const auto listed = visible();
    if (!listed) return installed;
    // A MIG slice is a device of its own; anything else cannot be more than there is.
    const auto slices =
        std::count_if(listed->begin(), listed->end(),
                      [](const std::string& device) { return device.starts_with("MIG-"); });
    if (installed == 0) return 0;
    const int whole = static_cast<int>(listed->size()) - static_cast<int>(slices);
    return std::min(whole, installed) + static_cast<int>(slices);
  }

  Failure workers() {
    const Setting* const setting = given(Flag::nproc);
    if (setting != nullptr && setting->text == "cpu") {
      options_.nproc = machine_.cpus;
    } else if (setting != nullptr && (setting->text == "gpu" || setting->text == "auto")) {
      const bool automatic = setting->text == "auto";
      const int devices = count_devices().value_or(0);
      if (devices == 0 && !automatic)
        return refusal(*setting, std::string("a number, because no ") +
                                     name_of(options_.device_type) + " device is seen here");
      options_.nproc = devices > 0 ? devices : machine_.cpus;
    } else if (setting != nullptr) {
      const auto value = parse_integer("", setting->text, 1, kMostWorkers);
      if (!value)
        return refusal(
            *setting, "a number from 1 to " + std::to_string(kMostWorkers) + ", or auto, cpu, gpu");
      options_.nproc = static_cast<int>(*value);
    }
    options_.group.nproc = options_.nproc;
    return std::nullopt;
  }

  // Every rank needs a device of its own: LOCAL_RANK is an index into them.
  Failure device_per_rank() {
    const auto size = static_cast<std::size_t>(options_.nproc);
    const std::string needed =
        options_.nproc == 1 ? "a device" : std::to_string(options_.nproc) + " devices";
    if (!options_.devices.empty()) {
      if (options_.devices.size() >= size) return std::nullopt;
      return refusal(*given(Flag::devices), needed + ", one for each rank of this machine");
    }
    if (!options_.virtual_local_rank || options_.device_type == DeviceType::cpu)
      return std::nullopt;
    auto listed = visible();
    const auto count = count_devices();
    const std::size_t known = listed ? listed->size() : static_cast<std::size_t>(count.value_or(0));
    if (known < size) {
      return Error{given(Flag::virtual_local_rank)->what + " needs " + needed +
                   ", one for each rank, and " +
                   (count ? "sees " + std::to_string(known) : "cannot count them here") +
                   ": expected --devices to name them, or --device-type cpu"};
    }
    for (std::size_t i = 0; i < size; ++i)
      options_.devices.push_back(listed ? (*listed)[i] : std::to_string(i));
    return std::nullopt;
  }

  Failure nodes() {
    if (auto failure = integer(Flag::nnodes, 1, kMostNodes, options_.nnodes)) return failure;
    if (const Setting* const node = given(Flag::node_rank)) {
      const auto rank = parse_integer(node->what, node->text, 0, kMostNodes - 1);
      if (!rank) return Error{rank.error()};
      if (*rank >= options_.nnodes)
        return refusal(*node,
                       (options_.nnodes == 1 ? std::string("0")
                                             : "0 to " + std::to_string(options_.nnodes - 1)) +
                           ", because --nnodes is " + std::to_string(options_.nnodes));
      options_.node_rank = static_cast<int>(*rank);
    }
    const Setting* const addr = given(Flag::master_addr);
    const Setting* const port = given(Flag::master_port);
    if (options_.nnodes > 1 && (addr == nullptr || port == nullptr)) {
      const std::string missing = addr == nullptr && port == nullptr
                                      ? "--master-addr and --master-port"
                                  : addr == nullptr ? "--master-addr"
                                                    : "--master-port";
      return refusal(*given(Flag::nnodes), missing + " beside it, to say where rank 0 listens");
    }
    if (addr != nullptr) {
      const bool plain = std::none_of(addr->text.begin(), addr->text.end(), [](unsigned char c) {
        return c <= ' ' || c == 0x7f || c == '/';
      });
      if (addr->text.empty() || addr->text.size() > 253 || !plain)
        return refusal(*addr, "a host name or an IP address");
      options_.master_addr = addr->text;
    }
    if (port != nullptr) {
      int number = 0;
      if (auto failure = integer(Flag::master_port, 1, 65535, number)) return failure;
      options_.master_port = static_cast<std::uint16_t>(number);
    }
    return std::nullopt;
  }

  Failure stdin_rank() {
    const Setting* const setting = given(Flag::stdin_rank);
    if (setting == nullptr) return std::nullopt;
    const auto rank = parse_integer(setting->what, setting->text, 0, options_.world_size() - 1);
    if (!rank)
      return refusal(*setting,
                     options_.world_size() == 1
                         ? std::string("rank 0, the only one")
                         : "a rank from 0 to " + std::to_string(options_.world_size() - 1));
    const int local_rank = static_cast<int>(*rank) - options_.first_rank();
    if (local_rank >= 0 && local_rank < options_.nproc) options_.stdin_rank = local_rank;
    return std::nullopt;
  }

  Failure run_id() {
    const Setting* const setting = given(Flag::run_id);
    if (setting != nullptr && !is_run_id(setting->text))
      return refusal(
          *setting,
          "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter, digit or '_'");
    options_.run_id = setting != nullptr ? setting->text : generate_run_id();
    return std::nullopt;
  }

  // "3" or "3 in 10m".
  Failure max_restarts(core::RestartPolicy& policy) const {
    const Setting* const setting = given(Flag::max_restarts);
    if (setting == nullptr) return std::nullopt;
    constexpr std::string_view kIn = " in ";
    const std::string_view text = setting->text;
    const std::size_t in = text.find(kIn);
    const auto count = parse_integer("", text.substr(0, in), 0, kMostRestarts);
    std::optional<core::Nanoseconds> window;
    if (in != std::string_view::npos) {
      if (const auto length = parse_duration("", text.substr(in + kIn.size()))) window = *length;
    }
    const bool bad_window =
        in != std::string_view::npos && (!window || *window <= core::Nanoseconds::zero());
    if (!count || bad_window)
      return refusal(*setting, "a number from 0 to " + std::to_string(kMostRestarts) +
                                   ", or a number in a time such as '3 in 10m'");
    policy.max_restarts = static_cast<int>(*count);
    policy.window = window;
    return std::nullopt;
  }

  Failure restarts() {
    core::RestartPolicy& policy = options_.group.restart;
    if (auto failure = max_restarts(policy)) return failure;
    if (auto failure = duration(Flag::backoff, policy.backoff)) return failure;
    if (auto failure = duration(Flag::max_backoff, policy.max_backoff)) return failure;
    if (policy.max_backoff < policy.backoff) {
      if (const Setting* const longest = given(Flag::max_backoff))
        return refusal(*longest, "no less than --backoff");
      policy.max_backoff = policy.backoff;  // only --backoff was asked for, beyond the usual limit
    }
    if (auto failure = integer(Flag::crash_loop, 0, kMostRestarts, policy.crash_loop))
      return failure;
    // Chance is all it is for: where the system has none to give yet, zero serves as well.
    if (::getrandom(&policy.jitter_seed, sizeof policy.jitter_seed, GRND_NONBLOCK) < 0)
      policy.jitter_seed = 0;
    return std::nullopt;
  }

  Failure shutdown() {
    if (auto failure = duration(Flag::shutdown_timeout, options_.group.shutdown_timeout))
      return failure;
    return choice<bool>(Flag::early_exit, {{"ok", false}, {"fail", true}},
                        options_.group.early_exit_fails);
  }

  Failure output() {
    using out::Style;
    if (auto failure = choice<Style>(
            Flag::output, {{"prefix", Style::prefix}, {"raw", Style::raw}, {"none", Style::none}},
            options_.output))
      return failure;
    options_.shown.assign(static_cast<std::size_t>(options_.nproc), true);
    if (const Setting* const filter = given(Flag::local_ranks_filter)) {
      auto shown = parse_rank_list(*filter, options_.nproc);
      if (!shown) return Error{shown.error()};
      options_.shown = std::move(*shown);
    }
    return std::nullopt;
  }

  Failure stream_map(Flag flag, std::vector<out::StreamSet>& into) const {
    into.assign(static_cast<std::size_t>(options_.nproc), {});
    const Setting* const setting = given(flag);
    if (setting == nullptr) return std::nullopt;
    auto map = parse_stream_map(*setting, options_.nproc);
    if (!map) return Error{map.error()};
    const bool used = std::any_of(map->begin(), map->end(),
                                  [](const out::StreamSet& set) { return set.out || set.err; });
    if (used && options_.log_dir.empty())
      return refusal(*setting, "--log-dir beside it, to say where the files go");
    into = std::move(*map);
    return std::nullopt;
  }

  Failure files() {
    if (const Setting* const dir = given(Flag::log_dir)) {
      if (dir->text.empty()) return refusal(*dir, "a directory");
      options_.log_dir = dir->text;
    }
    if (auto failure = stream_map(Flag::redirects, options_.redirect)) return failure;
    if (auto failure = stream_map(Flag::tee, options_.tee)) return failure;
    for (std::size_t i = 0; i < options_.tee.size(); ++i) {  // tee wins, as with torchrun
      options_.redirect[i].out = options_.redirect[i].out && !options_.tee[i].out;
      options_.redirect[i].err = options_.redirect[i].err && !options_.tee[i].err;
    }
    return std::nullopt;
  }

  Failure log_level() {
    const Setting* const setting = given(Flag::log_level);
    if (setting == nullptr) return std::nullopt;
    const auto level = log::parse_level(setting->what, setting->text);
    if (!level) return Error{level.error()};
    options_.log_level = *level;
    return std::nullopt;
  }

  const Settings& settings_;
  const Machine& machine_;
  Options options_;
};

}  // namespace

const char* name_of(DeviceType type) {
  switch (type) {
    case DeviceType::cpu:
      return "cpu";
    case DeviceType::cuda:
      return "cuda";
    case DeviceType::ascend:
      return "ascend";
    case DeviceType::hip:
      return "hip";
    case DeviceType::ze:
      return "ze";
  }
  return "?";
}

const char* visible_devices_variable(DeviceType type) {
  switch (type) {
    case DeviceType::cpu:
      return nullptr;
    case DeviceType::cuda:
      return env::kCudaVisibleDevices;
    case DeviceType::ascend:
      return env::kAscendVisibleDevices;
    case DeviceType::hip:
      return env::kHipVisibleDevices;
    case DeviceType::ze:
      return env::kZeAffinityMask;
  }
  return nullptr;
}

Result<Options> check_options(const Settings& settings, std::vector<std::string> command,
                              const Machine& machine) {
  return Checker(settings, std::move(command), machine).run();
}

}  // namespace ddp
