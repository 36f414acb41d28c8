// ddpctl and bare clients of the control socket, for a launch in a scene.
#pragma once

#include "tests/e2e/launch.hpp"

#include <optional>
#include <string>

namespace ddp::test {

// ddpctl with these words, for the runs of the scene alone.
Start ctl_start(const Scene& scene, const Words& words);
Finished ctl(const Scene& scene, const Words& words);

// The control socket of the one launch of the scene.
std::string control_socket(const Scene& scene);

// A socket where no process listens any more.
void leave_stale_socket(const std::string& path);

// A client that keeps to no rule.
class BareClient {
 public:
  // Connects, waiting for a place in the queue; throws if no launch listens.
  explicit BareClient(const std::string& socket);
  ~BareClient();
  BareClient(BareClient&& other) noexcept;
  BareClient& operator=(BareClient&&) = delete;

  // False: the launch has closed the connection.
  bool send(const std::string& text) const;
  // As much as the socket takes now.
  void flood(const std::string& text) const;
  // The next line; none: the launch has closed the connection. Throws Timeout at the deadline.
  std::optional<std::string> line(const Deadline& deadline = Deadline());
  // Waits until the launch has closed the connection, and reads nothing.
  void until_closed(const Deadline& deadline = Deadline()) const;

 private:
  int fd_ = -1;
  std::string received_;
};

}  // namespace ddp::test
