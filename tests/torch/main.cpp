// Without PyTorch there is nothing to test: exit code 77, CTest's "skipped".
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/torch/torch_launch.hpp"

#include <iostream>

int main(int argc, char** argv) {
  if (!ddp::test::have_torch()) {
    std::cout << "skipped: " DDP_PYTHON " has no torch and tqdm (scripts/packages-test.txt)\n";
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
