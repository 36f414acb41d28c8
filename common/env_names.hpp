// The names of all environment variables that ddp-launch sets, reads or passes on.
#pragma once

namespace ddp::env {

// What a worker gets (docs/design.md, "Environment"), by torchrun's names.
inline constexpr const char* kRank = "RANK";
inline constexpr const char* kLocalRank = "LOCAL_RANK";
inline constexpr const char* kWorldSize = "WORLD_SIZE";
inline constexpr const char* kLocalWorldSize = "LOCAL_WORLD_SIZE";
inline constexpr const char* kGroupRank = "GROUP_RANK";
inline constexpr const char* kGroupWorldSize = "GROUP_WORLD_SIZE";
inline constexpr const char* kRoleName = "ROLE_NAME";
inline constexpr const char* kRoleRank = "ROLE_RANK";
inline constexpr const char* kRoleWorldSize = "ROLE_WORLD_SIZE";
inline constexpr const char* kMasterAddr = "MASTER_ADDR";
inline constexpr const char* kMasterPort = "MASTER_PORT";
inline constexpr const char* kRunId = "TORCHELASTIC_RUN_ID";
inline constexpr const char* kRestartCount = "TORCHELASTIC_RESTART_COUNT";
inline constexpr const char* kMaxRestarts = "TORCHELASTIC_MAX_RESTARTS";
inline constexpr const char* kUseAgentStore = "TORCHELASTIC_USE_AGENT_STORE";
inline constexpr const char* kErrorFile = "TORCHELASTIC_ERROR_FILE";
inline constexpr const char* kNcclAsyncErrorHandling = "TORCH_NCCL_ASYNC_ERROR_HANDLING";
// Its name for PyTorch before 2.2.
inline constexpr const char* kOldNcclAsyncErrorHandling = "NCCL_ASYNC_ERROR_HANDLING";
inline constexpr const char* kOmpNumThreads = "OMP_NUM_THREADS";
inline constexpr const char* kPythonUnbuffered = "PYTHONUNBUFFERED";
inline constexpr const char* kColumns = "COLUMNS";
inline constexpr const char* kLines = "LINES";

// What a worker gets, by ddp-launch's names.
inline constexpr const char* kDdpRunDir = "DDP_RUN_DIR";
inline constexpr const char* kDdpRunId = "DDP_RUN_ID";
inline constexpr const char* kDdpFaults = "DDP_FAULTS";  // common/faults/worker_faults.hpp

// systemd's sd_notify protocol.
inline constexpr const char* kNotifySocket = "NOTIFY_SOCKET";
inline constexpr const char* kWatchdogUsec = "WATCHDOG_USEC";
inline constexpr const char* kWatchdogPid = "WATCHDOG_PID";

// Which devices a process may use, by type of device.
inline constexpr const char* kCudaVisibleDevices = "CUDA_VISIBLE_DEVICES";
inline constexpr const char* kAscendVisibleDevices = "ASCEND_RT_VISIBLE_DEVICES";
inline constexpr const char* kHipVisibleDevices = "HIP_VISIBLE_DEVICES";
inline constexpr const char* kZeAffinityMask = "ZE_AFFINITY_MASK";

// Several ranks on one GPU: for NCCL before 2.30, and since.
inline constexpr const char* kNcclHostId = "NCCL_HOSTID";
inline constexpr const char* kNcclMultiRankGpu = "NCCL_MULTI_RANK_GPU_ENABLE";

// What NCCL says, and where its RAS answers (launcher/workers/ras_address.hpp).
inline constexpr const char* kNcclDebug = "NCCL_DEBUG";
inline constexpr const char* kNcclRasAddress = "NCCL_RAS_ADDR";
inline constexpr const char* kNcclRasEnable = "NCCL_RAS_ENABLE";

// Which network interfaces NCCL and Gloo use.
inline constexpr const char* kNcclSocketInterface = "NCCL_SOCKET_IFNAME";
inline constexpr const char* kGlooSocketInterface = "GLOO_SOCKET_IFNAME";

// PyTorch's flight recorder, by its names for NCCL and for other backends and later versions. A
// rank reads from <value><rank>.pipe and writes its trace to <value><rank>.
inline constexpr const char* kNcclFlightPipe = "TORCH_NCCL_DEBUG_INFO_PIPE_FILE";
inline constexpr const char* kFlightPipe = "TORCH_FR_DEBUG_INFO_PIPE_FILE";
inline constexpr const char* kNcclFlightFile = "TORCH_NCCL_DEBUG_INFO_TEMP_FILE";
inline constexpr const char* kFlightFile = "TORCH_FR_DUMP_TEMP_FILE";
inline constexpr const char* kNcclFlightEntries = "TORCH_NCCL_TRACE_BUFFER_SIZE";
inline constexpr const char* kFlightEntries = "TORCH_FR_BUFFER_SIZE";
inline constexpr const char* kNcclFlightOnTimeout = "TORCH_NCCL_DUMP_ON_TIMEOUT";

// What ddp-launch itself reads.
inline constexpr const char* kLaunchLog = "DDP_LAUNCH_LOG";
inline constexpr const char* kLaunchTestOff = "DDP_LAUNCH_TEST_OFF";  // launcher/os/mechanism.hpp
inline constexpr const char* kCampaignEvents =
    "DDP_CAMPAIGN_EVENTS";                                 // launcher/events/event_log.hpp
inline constexpr const char* kPythonExec = "PYTHON_EXEC";  // the interpreter, as torchrun has it
inline constexpr const char* kVirtualEnv = "VIRTUAL_ENV";
inline constexpr const char* kCondaPrefix = "CONDA_PREFIX";
inline constexpr const char* kNoColor = "NO_COLOR";
inline constexpr const char* kXdgRuntimeDir = "XDG_RUNTIME_DIR";
inline constexpr const char* kTmpDir = "TMPDIR";

// What the dynamic loader reads.
inline constexpr const char* kLdLibraryPath = "LD_LIBRARY_PATH";

}  // namespace ddp::env
