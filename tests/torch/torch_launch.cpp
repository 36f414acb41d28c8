#include "tests/torch/torch_launch.hpp"

#include <algorithm>

namespace ddp::test {

bool have_torch() {
  Process tried({.argv = {DDP_PYTHON, "-c",
                          "import importlib.util, sys\n"
                          "sys.exit(not all(map(importlib.util.find_spec, ('torch', 'tqdm'))))"},
                 .env = {{"PATH", "/usr/bin:/bin"}}});
  return tried.wait() == Status{.code = 0};
}

Deadline torch_deadline() { return Deadline(std::chrono::seconds(150)); }

TorchScene::TorchScene() {
  env["EXAMPLES"] = DDP_EXAMPLES;
  env["CUDA_VISIBLE_DEVICES"] = "";
  env["PYTHONDONTWRITEBYTECODE"] = "1";  // of what is imported from the source tree
  env["NO_COLOR"] = "1";
}

Words TorchScene::script(const std::string& name, const Words& arguments) const {
  return Words{DDP_PYTHON, "-u", DDP_TORCH_SCRIPTS "/" + name} + arguments;
}

Process TorchScene::launch_script(const Words& flags, const std::string& name,
                                  const Words& arguments) const {
  return launch(flags, script(name, arguments));
}

Finished TorchScene::run_script(const Words& flags, const std::string& name,
                                const Words& arguments) const {
  Process process = launch_script(flags, name, arguments);
  return finish_torch(*this, process);
}

Words torchrun(int master_port, const std::string& script) {
  // -r and -t: "not redirected". PyTorch 1.13 cannot read its own default, 0, under Python 3.11.
  return {DDP_PYTHON,
          "-m",
          "torch.distributed.run",
          "--nproc_per_node",
          "2",
          "--monitor_interval",
          "0.1",
          "--master_port",
          std::to_string(master_port),
          "-r",
          "9:1",
          "-t",
          "9:1",
          DDP_TORCH_SCRIPTS "/" + script};
}

Finished finish_torch(const Scene& scene, Process& launch) {
  const Status status = launch.wait(torch_deadline());
  scene.check_nothing_left(launch);
  return {status, launch.out(), launch.err()};
}

Words sorted(Words lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace ddp::test
