// Launches of the PyTorch scripts in tests/torch/scripts, with Debian's interpreter.
#pragma once

#include "tests/e2e/launch.hpp"

namespace ddp::test {

// Whether the interpreter has the packages of scripts/packages-test.txt that the scripts import.
bool have_torch();

// A rank imports torch for two seconds of CPU time; several do on a busy machine.
Deadline torch_deadline();

// A scene in which scripts find the examples, and no GPU.
struct TorchScene : Scene {
  TorchScene();
  // The script and its arguments, as a rank's command.
  Words script(const std::string& name, const Words& arguments = {}) const;
  Process launch_script(const Words& flags, const std::string& name,
                        const Words& arguments = {}) const;
  // Waits for the exit, and checks that nothing is left.
  Finished run_script(const Words& flags, const std::string& name,
                      const Words& arguments = {}) const;
};

// A launch of the script by torchrun, on two ranks.
Words torchrun(int master_port, const std::string& script);

Finished finish_torch(const Scene& scene, Process& launch);

// Sorted, for lines whose order over ranks is not defined.
Words sorted(Words lines);

}  // namespace ddp::test
