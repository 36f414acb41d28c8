// Serves one text at /metrics over HTTP/1.1. While no client is connected it costs one descriptor
// and never wakes the launcher.
//
// A client that stalls, floods or sends garbage must not delay supervision: a connection carries
// one request of at most kMostRequest bytes, lasts kPatience at the longest, and kPause passes
// between two of them. kMostClients are served at once; others wait in the kernel's queue.
#pragma once

#include "common/result.hpp"
#include "launcher/metrics/options.hpp"
#include "launcher/os/loop.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::metrics {

inline constexpr std::size_t kMostClients = 8;
inline constexpr std::size_t kMostRequest = std::size_t{8} * 1024;
inline constexpr std::chrono::seconds kPatience{5};
inline constexpr std::chrono::milliseconds kPause{1};

class HttpServer {
 public:
  // The text of this moment. A slow client keeps the one that it began to read.
  using Text = std::function<std::shared_ptr<const std::string>()>;
  // `io` and `loop`, which runs on it, are borrowed.
  HttpServer(boost::asio::io_context& io, os::Loop& loop, Text text);
  ~HttpServer();

  // Listens. "127.0.0.1:9400", "[::1]:9400" with the port that it has, or why the system refused.
  Result<std::string> open(const Endpoint& endpoint);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::metrics
