// What this machine has: GPUs, without loading a driver's library, and CPUs.
#pragma once

#include <string>

namespace ddp::os {

// Device nodes say what a container was given (its /proc shows the whole machine's); on a machine
// where none has been made yet (nvidia-modprobe makes them at first use) the driver's list in /proc
// counts. `root` is "/" but in tests.
int count_cuda_devices(const std::string& root = "/");
int count_hip_devices(const std::string& root = "/");     // KFD nodes with a gpu_id
int count_ascend_devices(const std::string& root = "/");  // /dev/davinci<n>

// CPUs this process may run on (sched_getaffinity), at least 1.
int count_cpus();

}  // namespace ddp::os
