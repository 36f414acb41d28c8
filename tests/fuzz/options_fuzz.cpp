// The whole command line: one word a line. Environment variables are empty and the machine has no
// devices.
#include "launcher/cli/options.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto words = ddp::fuzz::lines_of(ddp::fuzz::text_of(data, size));
  // No file of this machine is to be read.
  if (std::any_of(words.begin(), words.end(),
                  [](const auto& word) { return word.rfind("--config", 0) == 0; }))
    return 0;
  std::vector<const char*> argv{"ddp-launch"};
  for (const auto& word : words) argv.push_back(word.c_str());
  argv.push_back(nullptr);
  const ddp::Machine machine{[](const char*) -> const char* { return nullptr; }, "/nonexistent", 4};
  const auto parsed = ddp::parse_options(static_cast<int>(argv.size()) - 1, argv.data(), machine);
  if (const auto* leave = std::get_if<ddp::ExitNow>(&parsed)) {
    require(leave->code == 0 || leave->code == 2, "leaves with 0 or 2");
    require(!leave->text.empty() && leave->text.back() == '\n', "says why, in whole lines");
    return 0;
  }
  const auto& options = std::get<ddp::Options>(parsed);
  require(options.ranks.nproc >= 1 && options.ranks.nnodes >= 1, "somebody is launched");
  require(options.ranks.node_rank >= 0 && options.ranks.node_rank < options.ranks.nnodes,
          "0 <= node rank < nodes");
  require(!options.rendezvous.run_id.empty() &&
              options.rendezvous.run_id.find('/') == std::string::npos,
          "a run id is a file name");
  require(!options.rendezvous.master_addr.empty() && options.rendezvous.master_addr.size() <= 253 &&
              options.rendezvous.master_addr.find_first_of("[]/ \n") == std::string::npos,
          "the master address is a host name or an address without brackets");
  require(!options.workers.command.empty() || options.dry_run, "there is a program to run");
  for (const auto* per_rank : {&options.output.redirect, &options.output.tee})
    require(per_rank->size() == static_cast<std::size_t>(options.ranks.nproc),
            "an entry for each rank");
  return 0;
}
