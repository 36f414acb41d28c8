// A command line and a machine, as tests want them.
#pragma once

#include "launcher/cli/options.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace ddp {

// A machine of our own: a root with device nodes, an environment, a number of CPUs.
class FakeMachine {
 public:
  FakeMachine() {
    std::string name = std::filesystem::temp_directory_path() / "ddp_machine_XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
  }
  FakeMachine(const FakeMachine&) = delete;
  ~FakeMachine() { std::filesystem::remove_all(root); }

  void file(const std::string& path, const std::string& content = "") const {
    const auto whole = root / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << content;
  }
  void gpus(int count) const {
    for (int i = 0; i < count; ++i) file("dev/nvidia" + std::to_string(i));
  }

  std::variant<Options, ExitNow> parse(std::vector<std::string> words) const {
    std::vector<const char*> argv{"ddp-launch"};
    for (const auto& word : words) argv.push_back(word.c_str());
    argv.push_back(nullptr);
    return parse_options(static_cast<int>(argv.size()) - 1, argv.data(), machine());
  }
  Machine machine() const {
    return {.get_env = [this](const char* name) -> const char* {
              const auto it = environment.find(name);
              return it == environment.end() ? nullptr : it->second.c_str();
            },
            .root = root.string(),
            .cpus = cpus,
            .pet = pet,
            .network = network};
  }
  // The options of a command line that must be good; "-- ./worker" is added.
  Options good(std::vector<std::string> words) const {
    words.insert(words.end(), {"--", "./worker"});
    auto parsed = parse(std::move(words));
    const auto* leave = std::get_if<ExitNow>(&parsed);
    REQUIRE_MESSAGE(leave == nullptr, leave->text);
    return std::get<Options>(std::move(parsed));
  }
  // The one line that refuses a command line, without "ddp-launch: " and the line's end.
  std::string refused(std::vector<std::string> words, bool add_program = true) const {
    if (add_program) words.insert(words.end(), {"--", "./worker"});
    const auto parsed = parse(std::move(words));
    const auto* leave = std::get_if<ExitNow>(&parsed);
    if (leave == nullptr) return "accepted";
    CHECK(leave->code == 2);
    const std::string& text = leave->text;
    const std::string head = "ddp-launch: ";
    REQUIRE(text.starts_with(head));
    REQUIRE(text.find('\n') == text.size() - 1);
    return text.substr(head.size(), text.size() - head.size() - 1);
  }

  std::filesystem::path root;
  std::map<std::string, std::string> environment;
  PetVariables pet;
  int cpus = 6;
  Network network;  // says nothing
};

}  // namespace ddp
