// The network interfaces of this machine.
#pragma once

#include <string>
#include <vector>

namespace ddp::os {

struct Interface {
  std::string name;
  bool up = false;
};
// Of this network namespace, each once; empty where the kernel does not answer.
std::vector<Interface> interfaces();

// Whether there is an RDMA device (InfiniBand, RoCE). `root` is "/" except in tests.
bool has_rdma(const std::string& root = "/");

}  // namespace ddp::os
