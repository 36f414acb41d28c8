#include "worker/comm/single.hpp"

#include "common/client/fault_points.hpp"

namespace ddp::worker {
namespace {

class SingleCommunicator final : public Communicator {
 public:
  std::string_view backend() const override { return "single"; }
  int rank() const override { return 0; }
  int world_size() const override { return 1; }
  void start(std::span<float>, std::int64_t, int) override {}
  void finish() override {}
  // With one rank a skipped bucket cannot deadlock, but dying works.
  void sabotage(Sabotage what) override {
    if (what == Sabotage::die) fault::die();
  }
  void sum(std::span<double>) override {}
  void broadcast(std::span<std::byte>, int) override {}
  void barrier() override {}
  CommStatistics take_statistics() override { return {}; }
};

}  // namespace

std::unique_ptr<Communicator> make_single_communicator() {
  return std::make_unique<SingleCommunicator>();
}

}  // namespace ddp::worker
