// Why the GPU cannot be used, in one line each: what was looked for, where, and what helps. Pure:
// load.cpp collects the facts.
#pragma once

#include "common/client/worker_env.hpp"
#include "common/get_env.hpp"

#include <string>

namespace ddp::worker {

// 13000 is "13.0", as CUDA numbers its versions.
std::string cuda_version_text(int version);
// 22809 is "2.28.9", and 2708 "2.7.8": NCCL numbers its versions in another way since 2.9.
std::string nccl_version_text(int version);

// Whether the loader's error (dlerror) says that `library` is not there, rather than that it cannot
// be used.
bool is_missing(const std::string& loader_error, const std::string& library);

// libcuda.so.1, the driver, could not be loaded.
std::string no_driver(const std::string& loader_error, const GetEnv& get_env);

// The GPU part, or a library that it needs, could not be loaded.
std::string not_loaded(const std::string& loader_error, const GetEnv& get_env);

// The GPU part needs a function that this NCCL does not have; `file` is the library's path.
std::string old_nccl(const std::string& loader_error, int version, const std::string& file);

// Empty where the driver is new enough for the CUDA toolkit that the worker was built with. It may
// be older within a major version.
std::string old_driver(int driver, int toolkit);

// The driver is there and shows no device.
std::string no_device(const std::string& cuda_error, const GetEnv& get_env);
// Whether CUDA_VISIBLE_DEVICES is set to no device at all (empty, or -1): the user wants none.
bool devices_are_hidden(const GetEnv& get_env);

// Empty unless ranks share a device by a variable that this NCCL does not know.
std::string sharing_unknown(const WorkerEnv& env, int devices, int nccl, const GetEnv& get_env);

}  // namespace ddp::worker
