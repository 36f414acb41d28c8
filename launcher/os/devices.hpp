// Counts the GPUs and CPUs of this machine, without loading a driver's library.
#pragma once

#include <string>

namespace ddp::os {

// Counts device nodes: they show what a container was given, while its /proc shows the whole
// machine. Where there are no nodes yet (nvidia-modprobe makes them at first use), the driver's
// list in /proc counts. `root` is "/" except in tests.
int count_cuda_devices(const std::string& root = "/");
int count_hip_devices(const std::string& root = "/");     // KFD nodes with a gpu_id
int count_ascend_devices(const std::string& root = "/");  // /dev/davinci<n>
int count_ze_devices(const std::string& root = "/");      // render nodes of Intel cards

// The CPUs that this process may run on (sched_getaffinity), at least 1.
int count_cpus();

}  // namespace ddp::os
