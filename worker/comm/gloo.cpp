#include "worker/comm/gloo.hpp"

#include "common/client/fault_points.hpp"
#include "worker/comm/peer_watch.hpp"

#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ddp::worker {
namespace {

using std::chrono::milliseconds;

// The worker's store in the form that Gloo needs.
class StoreForGloo final : public gloo::rendezvous::Store {
 public:
  StoreForGloo(StoreClient& store, milliseconds timeout) : store_(store), timeout_(timeout) {}
  void set(const std::string& key, const std::vector<char>& data) override {
    store_.set(name(key), std::string(data.begin(), data.end()));
  }
  std::vector<char> get(const std::string& key) override {
    const std::string value = store_.get(name(key), timeout_);
    return {value.begin(), value.end()};
  }
  void wait(const std::vector<std::string>& keys) override { wait(keys, timeout_); }
  void wait(const std::vector<std::string>& keys, const milliseconds& timeout) override {
    const Deadline deadline = Clock::now() + timeout;
    for (const std::string& key : keys) store_.get(name(key), milliseconds(poll_timeout(deadline)));
  }

 private:
  static std::string name(const std::string& key) { return "gloo address of rank " + key; }
  StoreClient& store_;
  milliseconds timeout_;
};

// Gloo's message without the "[file.cc:123] " at its start, which does not help a user.
std::string reason(const std::exception& error) {
  std::string text = error.what();
  if (const auto end = text.find("] "); text.starts_with('[') && end != std::string::npos)
    text.erase(0, end + 2);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

template <class T>
void sum_into(void* out, const void* a, const void* b, std::size_t n) {
  // `out` may be `a`, so the pointers are not restrict. Every rank adds in this order.
  T* const o = static_cast<T*>(out);
  const T* const x = static_cast<const T*>(a);
  const T* const y = static_cast<const T*>(b);
  for (std::size_t i = 0; i < n; ++i) o[i] = x[i] + y[i];
}

class GlooCommunicator final : public Communicator {
 public:
  GlooCommunicator(StoreClient& store, int rank, int world_size, milliseconds timeout)
      : context_(std::make_shared<gloo::rendezvous::Context>(rank, world_size)), timeout_(timeout) {
    context_->setTimeout(timeout);
    guard("connecting the ranks", [&] {
      gloo::transport::tcp::attr attr(store.local_address().c_str());
      auto device = gloo::transport::tcp::CreateDevice(attr);
      StoreForGloo addresses(store, timeout);
      context_->connectFullMesh(addresses, device);
    });
    watch_.emplace(store, rank, &failed);
    thread_ = std::thread([this] { run(); });
  }

  ~GlooCommunicator() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();  // it may be stuck in Gloo: still watched
  }

  std::string_view backend() const override { return "gloo"; }
  int rank() const override { return context_->rank; }
  int world_size() const override { return context_->size; }

  void start(std::span<float> values, std::int64_t step, int bucket) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({values, step, bucket, std::exchange(sabotage_, std::nullopt)});
      ++unfinished_;
    }
    wake_.notify_one();
  }

  void sabotage(Sabotage what) override { sabotage_ = what; }

  void finish() override {
    const auto begin = Clock::now();
    std::unique_lock lock(mutex_);
    // No deadline here: each all-reduce has one, and its error ends this wait.
    idle_.wait(lock, [&] { return unfinished_ == 0 || error_; });
    statistics_.exposed_seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    if (error_) std::rethrow_exception(error_);
  }

  void sum(std::span<double> values) override {
    guard("summing " + std::to_string(values.size()) + " values over the ranks",
          PeerWatch::kTrainer, [&] { all_reduce(values, kOwnTag); });
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    guard(
        "broadcasting " + std::to_string(bytes.size()) + " bytes from rank " + std::to_string(root),
        PeerWatch::kTrainer, [&] {
          gloo::BroadcastOptions options(context_);
          options.setOutput(reinterpret_cast<char*>(bytes.data()), bytes.size());
          options.setRoot(root);
          options.setTag(kOwnTag);
          options.setTimeout(timeout_);
          gloo::broadcast(options);
        });
  }

  void barrier() override {
    guard("waiting for all ranks at a barrier", [&] {
      gloo::BarrierOptions options(context_);
      options.setTag(kOwnTag);
      options.setTimeout(timeout_);
      gloo::barrier(options);
    });
  }

  CommStatistics take_statistics() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(statistics_, {});
  }

 private:
  struct Bucket {
    std::span<float> values;
    std::int64_t step;
    int bucket;
    std::optional<Sabotage> sabotage;
  };

  // Collectives of the trainer's thread and of this class's thread may run at once: tags separate
  // them.
  static constexpr std::uint32_t kOwnTag = 0;
  static constexpr std::uint32_t kBucketTag = 1;

  template <class Work>
  void guard(const std::string& what, Work&& work) {
    try {
      work();
    } catch (const Failure&) {
      throw;  // the store's message is complete
    } catch (const std::exception& error) {
      throw CommError(failed(what, reason(error)));
    }
  }

  template <class Work>
  void guard(const std::string& what, PeerWatch::Thread thread, Work&& work) {
    const PeerWatch::Mark mark(*watch_, thread, what);
    guard(what, std::forward<Work>(work));
  }

  static std::string failed(const std::string& what, const std::string& why) {
    return "gloo: " + what + " failed: " + why;
  }

  template <class T>
  void all_reduce(std::span<T> values, std::uint32_t tag,
                  gloo::AllreduceOptions::Func add = &sum_into<T>) {
    gloo::AllreduceOptions options(context_);
    options.setOutput(values.data(), values.size());
    options.setReduceFunction(std::move(add));
    options.setTag(tag);
    options.setTimeout(timeout_);
    gloo::allreduce(options);
  }

  // Called once the first values of a peer have arrived and this rank's are being sent.
  static void die_instead(void*, const void*, const void*, std::size_t) { fault::die(); }

  // Buckets that are started after a skipped one wait as well.
  void stand_still() {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_for(lock, timeout_, [&] { return stopping_; }))
      throw std::runtime_error("not complete within " + std::to_string(timeout_.count()) + " ms");
  }

  void reduce(const Bucket& bucket) {
    if (bucket.sabotage == Sabotage::skip) {
      stand_still();
    } else if (bucket.sabotage == Sabotage::die) {
      all_reduce(bucket.values, kBucketTag, &die_instead);
    } else {
      all_reduce(bucket.values, kBucketTag);
    }
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      const Bucket next = queue_.front();
      queue_.pop_front();
      lock.unlock();
      const auto begin = Clock::now();
      std::exception_ptr error;
      try {
        guard("the all-reduce of bucket " + std::to_string(next.bucket) + " in step " +
                  std::to_string(next.step),
              PeerWatch::kBuckets, [&] { reduce(next); });
      } catch (...) {
        error = std::current_exception();
      }
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      lock.lock();
      statistics_.busy_seconds += seconds;
      statistics_.bytes += next.values.size_bytes();
      --unfinished_;
      if (error) {
        error_ = error;
        queue_.clear();
      }
      if (unfinished_ == 0 || error_) idle_.notify_all();
    }
  }

  std::shared_ptr<gloo::rendezvous::Context> context_;
  milliseconds timeout_;
  std::optional<Sabotage> sabotage_;  // of the next bucket

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<Bucket> queue_;
  int unfinished_ = 0;
  bool stopping_ = false;
  std::exception_ptr error_;
  CommStatistics statistics_;

  std::optional<PeerWatch> watch_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Communicator> make_gloo_communicator(StoreClient& store, int rank, int world_size,
                                                     std::chrono::milliseconds timeout) {
  return std::make_unique<GlooCommunicator>(store, rank, world_size, timeout);
}

}  // namespace ddp::worker
