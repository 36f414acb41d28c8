#include "worker/gpu/nccl_communicator.hpp"

#include "worker/gpu/cuda_support.hpp"

#include <nccl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace ddp::worker::gpu {
namespace {

using Clock = std::chrono::steady_clock;

// The interval at which a running collective is polled, because CUDA has no wait with a deadline.
// The first moments spin, so that short collectives do not pay for a sleep.
constexpr std::chrono::microseconds kSpin{200};
constexpr std::chrono::microseconds kPause{50};

// Once a rank has left the group, what it has not contributed to never completes. What it has, is
// complete within this many turns, unless this process does not run at all.
constexpr std::chrono::milliseconds kLastTurn{1};
constexpr int kLastTurns = 100;

// The most time that the end of this process may take once the communicator is aborted.
constexpr std::chrono::seconds kEnd{5};

// Host values go through device memory in pieces of this size.
constexpr std::size_t kStagingBytes = std::size_t{16} << 20;

// For an injected fault: blocks what follows on `stream` until the communicator is aborted. The
// flag outlives every stream that reads it.
std::atomic<bool> held_up{true};

void hold_up(cudaStream_t stream) {
  const auto wait = [](void*) {
    while (held_up) std::this_thread::sleep_for(kPause);
  };
  check(cudaLaunchHostFunc(stream, wait, nullptr), "cudaLaunchHostFunc");
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(const GpuRequest& request, cudaStream_t compute)
      : rank_(request.rank),
        world_size_(request.world_size),
        timeout_(request.timeout),
        leaver_(request.leaver),
        compute_(compute),
        staging_(kStagingBytes) {
    ncclUniqueId id{};
    std::string bytes;
    if (rank_ == 0) {
      enqueue(ncclGetUniqueId(&id), "making the unique id");
      bytes.assign(id.internal, sizeof id.internal);
    }
    bytes = request.share(bytes);
    if (bytes.size() != sizeof id.internal) throw CommError("NCCL: rank 0's unique id is damaged");
    std::memcpy(id.internal, bytes.data(), sizeof id.internal);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    const std::string what = "connecting the ranks";
    try {
      enqueue(ncclCommInitRankConfig(&comm_, world_size_, id, rank_, &config), what);
      settle(what);
    } catch (...) {
      abort(what + " failed");
      throw;
    }
  }

  ~NcclCommunicator() override {
    if (comm_ == nullptr) return;
    // After an error, do not wait for other ranks.
    if (std::uncaught_exceptions() > 0) {
      abort("this rank failed");
      return;
    }
    // Finalize completes pending work; it must not wait for a peer that is gone.
    try {
      enqueue(ncclCommFinalize(comm_), "closing the communicator");
      settle("closing the communicator");
      ncclCommDestroy(comm_);
    } catch (...) {
      abort("closing the communicator failed");
    }
  }

  std::string_view backend() const override { return "nccl"; }
  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }

  void start(std::span<float> values, std::int64_t step, int bucket) override {
    const std::string what =
        "the all-reduce of bucket " + std::to_string(bucket) + " in step " + std::to_string(step);
    Flight flight{what, values.size_bytes(), {}, {}};
    Event ready;
    ready.record(compute_);
    check(cudaStreamWaitEvent(stream_.get(), ready.get()), "cudaStreamWaitEvent");
    const auto sabotage = std::exchange(sabotage_, std::nullopt);
    if (sabotage) hold_up(stream_.get());
    flight.begin.record(stream_.get());
    if (sabotage != Sabotage::skip) {
      enqueue(ncclAllReduce(values.data(), values.data(), values.size(), ncclFloat, ncclSum, comm_,
                            stream_.get()),
              what);
      settle(what);
    }
    if (sabotage == Sabotage::die) ::kill(::getpid(), SIGKILL);
    flight.end.record(stream_.get());
    flights_.push_back(std::move(flight));
  }

  void sabotage(Sabotage what) override { sabotage_ = what; }

  void finish() override {
    if (flights_.empty()) return;
    Event computed;
    computed.record(compute_);
    for (const Flight& flight : flights_) wait(flight.end, flight.what);
    wait(computed, "the backward pass");
    for (const Flight& flight : flights_) {
      statistics_.busy_seconds += seconds_between(flight.begin, flight.end);
      statistics_.bytes += flight.bytes;
    }
    statistics_.exposed_seconds += std::max(0.0, seconds_between(computed, flights_.back().end));
    flights_.clear();
  }

  void sum(std::span<double> values) override {
    const std::string what = "summing " + std::to_string(values.size()) + " values over the ranks";
    if (values.size_bytes() > kStagingBytes) throw CommError("NCCL: " + what + ": too many");
    auto* const device = reinterpret_cast<double*>(staging_.data());
    to_device(values.data(), values.size_bytes());
    enqueue(ncclAllReduce(device, device, values.size(), ncclDouble, ncclSum, comm_, stream_.get()),
            what);
    from_device(values.data(), values.size_bytes(), what);
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    const std::string what = "broadcasting from rank " + std::to_string(root);
    while (!bytes.empty()) {
      const std::span<std::byte> piece = bytes.first(std::min(bytes.size(), kStagingBytes));
      to_device(piece.data(), piece.size());
      enqueue(ncclBroadcast(staging_.data(), staging_.data(), piece.size(), ncclChar, root, comm_,
                            stream_.get()),
              what);
      from_device(piece.data(), piece.size(), what);
      bytes = bytes.subspan(piece.size());
    }
  }

  void barrier() override {
    double nothing = 0;
    sum({&nothing, 1});
  }

  CommStatistics take_statistics() override { return std::exchange(statistics_, {}); }

 private:
  struct Flight {
    std::string what;
    std::size_t bytes;
    Event begin;
    Event end;
  };

  // Throws for every result except success and "in progress", which a non-blocking communicator
  // returns.
  void enqueue(ncclResult_t result, const std::string& what) {
    if (result != ncclSuccess && result != ncclInProgress) fail(what, ncclGetErrorString(result));
  }

  [[noreturn]] void fail(const std::string& what, const std::string& why) {
    const char* const last = ncclGetLastError(comm_);
    std::string text = what + " failed: " + why;
    if (last != nullptr && *last != '\0') text += ": " + std::string(last);
    abort(text);
    throw CommError("NCCL: " + text);
  }

  // Stops kernels that wait for a dead peer. There is no other way. The abort, and what frees
  // memory after it, can wait for a device that never answers: this process ends all the same.
  void abort(const std::string& why) {
    held_up = false;
    if (comm_ == nullptr) return;
    end_in_any_case(why);
    ncclCommAbort(std::exchange(comm_, nullptr));
  }

  void end_in_any_case(const std::string& why) const {
    try {
      std::thread([rank = rank_, why] {
        std::this_thread::sleep_for(kEnd);
        complain(rank, "NCCL: " + why + "; the device does not stop");
        std::_Exit(1);
      }).detach();
    } catch (const std::system_error&) {
      // No thread to be had: then the abort alone has to succeed.
    }
  }

  // Polls `done` until it is true, NCCL reports an error, a rank has left, or the time is over.
  template <class Done>
  void poll(const std::string& what, Done&& done) {
    const auto begin = Clock::now();
    int last_turns = 0;
    while (!done()) {
      ncclResult_t state = ncclSuccess;
      const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
      if (asked != ncclSuccess) fail(what, ncclGetErrorString(asked));
      if (state != ncclSuccess && state != ncclInProgress) fail(what, ncclGetErrorString(state));
      const auto waited = Clock::now() - begin;
      if (waited > timeout_) {
        fail(what, "not complete within " + std::to_string(timeout_.count()) +
                       " ms: a rank is dead, hangs or is behind");
      }
      if (waited <= kSpin) continue;
      const std::string gone = leaver_();
      if (!gone.empty() && ++last_turns > kLastTurns) fail(what, gone + " is gone");
      std::this_thread::sleep_for(gone.empty() ? kPause : kLastTurn);
    }
  }

  // Waits until the communicator has processed the last call.
  void settle(const std::string& what) {
    poll(what, [&] {
      ncclResult_t state = ncclSuccess;
      return ncclCommGetAsyncError(comm_, &state) == ncclSuccess && state == ncclSuccess;
    });
  }

  void wait(const Event& event, const std::string& what) {
    poll(what, [&] {
      const cudaError_t state = cudaEventQuery(event.get());
      if (state != cudaSuccess && state != cudaErrorNotReady)
        fail(what, std::string("CUDA: ") + cudaGetErrorString(state));
      return state == cudaSuccess;
    });
  }

  void to_device(const void* from, std::size_t bytes) {
    check(cudaMemcpyAsync(staging_.data(), from, bytes, cudaMemcpyHostToDevice, stream_.get()),
          "copying to the device");
  }

  void from_device(void* to, std::size_t bytes, const std::string& what) {
    settle(what);
    Event done;
    done.record(stream_.get());
    wait(done, what);
    check(cudaMemcpy(to, staging_.data(), bytes, cudaMemcpyDeviceToHost),
          "copying from the device");
  }

  int rank_;
  int world_size_;
  std::chrono::milliseconds timeout_;
  std::function<std::string()> leaver_;
  cudaStream_t compute_;
  Stream stream_;
  DeviceArray<std::byte> staging_;
  ncclComm_t comm_ = nullptr;
  std::deque<Flight> flights_;
  std::optional<Sabotage> sabotage_;  // of the next bucket
  CommStatistics statistics_;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(const GpuRequest& request,
                                                     cudaStream_t compute) {
  return std::make_unique<NcclCommunicator>(request, compute);
}

}  // namespace ddp::worker::gpu
