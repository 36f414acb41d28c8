// The metrics of a launch: what a scraper gets, clients that keep to no rule, the file.
#include "tests/e2e/launch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

using namespace ddp::test;

namespace {

using Clock = std::chrono::steady_clock;

const std::string kGet = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// A TCP client that keeps to no rule.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = loopback(port);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }

  // As much as the socket takes now.
  void send(const std::string& text) const {
    (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // All that comes until the launch closes the connection.
  std::string rest(const Deadline& deadline = Deadline()) const {
    std::string text;
    for (;;) {
      pollfd waited{fd_, POLLIN, 0};
      if (::poll(&waited, 1, deadline.remaining_ms()) == 0)
        throw Timeout("the connection stays open after: " + text);
      std::array<char, 65536> bytes;
      const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return text;
      if (size > 0) text.append(bytes.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  int fd_;
};

std::string ask(int port, const std::string& request) {
  const Client client(port);
  client.send(request);
  return client.rest();
}

std::string scrape(int port) { return ask(port, kGet); }

// Scrapes until the text has this part.
std::string scrape_until(int port, const std::string& part) {
  const Deadline deadline;
  for (;;) {
    auto text = scrape(port);
    if (contains(text, part)) return text;
    if (deadline.remaining_ms() == 0) throw Timeout("no " + part + " in: " + text);
    ::poll(nullptr, 0, 10);
  }
}

int port_of(Process& launch) {
  const std::string line = launch.until_err("metrics are at http://");
  return std::stoi(line.substr(line.rfind(':') + 1));
}

struct Served {
  Process launch;
  int port;
};

Served serve(const Scene& scene, const Words& flags, const Words& steps) {
  Process launch = scene.launch(Words{"--metrics", "0", "--run-id", "r"} + flags, helper(steps));
  const int port = port_of(launch);
  return {std::move(launch), port};
}

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// From the first line of the first metric to the end of a line of the last.
bool is_whole(const std::string& text) {
  const auto last = text.rfind("\n# TYPE ");
  return text.starts_with("# HELP ddp_launch_build_info ") && text.ends_with('\n') &&
         last != std::string::npos &&
         text.substr(last).starts_with("\n# TYPE ddp_launch_rank_step_seconds ");
}

}  // namespace

TEST_CASE("a run that is held is scraped") {
  const Scene scene;
  auto [launch, port] = serve(scene, {"--nproc", "2"},
                              {"notify", "READY=1\\nX_DDP_STEP=5\\nX_DDP_METRIC=loss=1.5", "step",
                               "6", "print", "up", "wait-file", scene.path("end")});
  launch.until("up");
  launch.until("up");
  const auto answer = scrape(port);
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(contains(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(contains(answer, "\r\nConnection: close\r\n"));
  const auto begin = answer.find("\r\n\r\n") + 4;
  CHECK(contains(answer, "\r\nContent-Length: " + std::to_string(answer.size() - begin) + "\r\n"));
  CHECK(is_whole(answer.substr(begin)));
  for (const char* line :
       {"ddp_launch_rank_up{run_id=\"r\",rank=\"1\"} 1\n",
        "ddp_launch_rank_step{run_id=\"r\",rank=\"1\"} 6\n",
        "ddp_launch_rank_loss{run_id=\"r\",rank=\"0\"} 1.5\n", "ddp_launch_step{run_id=\"r\"} 6\n",
        "ddp_launch_rank_step_seconds_count{run_id=\"r\",rank=\"0\"} 1\n",
        "ddp_launch_goodput_ratio{run_id=\"r\"} ", "ddp_launch_restarts_total{run_id=\"r\"} 0\n"})
    CHECK_MESSAGE(contains(answer, line), line);
  std::ofstream(scene.path("end"));
  CHECK(finish(scene, launch).status == Status{.code = 0});
}

TEST_CASE("only GET and HEAD of /metrics are served") {
  const Scene scene;
  auto [launch, port] = serve(scene, {"--nproc", "1"}, {"wait-file", scene.path("end")});
  const std::pair<std::string, std::string> answers[] = {
      {"GET /metrics?collect[]=x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "},
      {"GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 "},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
      {"GET /metricsx HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
      {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 "},
      {"BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "},
      {"garbage\r\n\r\n", "HTTP/1.1 400 "},
      {std::string("\x16\x03\x01\x02\0\x01\0\0", 8), "HTTP/1.1 400 "},  // TLS
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 "},
      {"GET /metrics HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", "HTTP/1.1 431 "}};
  for (const auto& [request, status] : answers) {
    const auto answer = ask(port, request);
    CHECK_MESSAGE(answer.starts_with(status), request << "\n" << answer);
  }
  const auto head = ask(port, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(contains(head, "\r\nContent-Length: "));
  CHECK_FALSE(contains(head, "\r\nContent-Length: 0\r\n"));
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(
      contains(ask(port, "PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\nAllow: GET, HEAD\r\n"));
  std::ofstream(scene.path("end"));
  finish(scene, launch);
}

TEST_CASE("a failure and the restart after it") {
  const Scene scene;
  auto [launch, port] = serve(
      scene, kRestartAtOnce + Words{"--max-restarts", "1", "--nproc", "2"},
      {"step", "1", "on-generation", "0", "[", "on-rank", "1", "[", "wait-file", scene.path("fail"),
       "exit", "3", "]", "]", "print", "up", "wait-file", scene.path("end")});
  launch.until("up");
  CHECK(contains(scrape(port), "ddp_launch_generation{run_id=\"r\"} 0\n"));
  std::ofstream(scene.path("fail"));
  const auto text =
      scrape_until(port, "ddp_launch_failure_recovery_seconds_count{run_id=\"r\"} 1\n");
  for (const char* line :
       {"ddp_launch_generation{run_id=\"r\"} 1\n", "ddp_launch_restarts_total{run_id=\"r\"} 1\n",
        "ddp_launch_failures_total{run_id=\"r\",cause=\"exit 3\"} 1\n",
        "ddp_launch_failure_restart_seconds_count{run_id=\"r\"} 1\n"})
    CHECK_MESSAGE(contains(text, line), line);
  std::ofstream(scene.path("end"));
  CHECK(finish(scene, launch).status == Status{.code = 0});
}

TEST_CASE("a port that is in use refuses the launch before any worker starts") {
  const int taken = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  REQUIRE(::bind(taken, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(taken, 1) == 0);
  REQUIRE(::getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const std::string where = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const Scene scene;
  const auto refused =
      scene.run({"--nproc", "1", "--metrics", where}, helper({"touch", scene.path("started")}));
  CHECK(refused.status == Status{.code = 71});
  CHECK(refused.err == "ddp-launch: error: --metrics: " + where + ": Address already in use\n");
  CHECK_FALSE(std::filesystem::exists(scene.path("started")));
  // The control: once it is free, the same launch runs, and says nothing of a port that was given.
  ::close(taken);
  const auto run =
      scene.run({"--nproc", "1", "--metrics", where}, helper({"touch", scene.path("started")}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  CHECK(std::filesystem::exists(scene.path("started")));
  CHECK(scene.run({"--metrics", "x"}, helper({})).status == Status{.code = 2});
}

TEST_CASE("a death is followed by the teardown while clients stall, flood and send garbage") {
  std::chrono::nanoseconds took[2];
  for (const bool disturbed : {false, true}) {
    const Scene scene;
    auto [launch, port] = serve(scene, {"--nproc", "4", "--shutdown-timeout", "5s"},
                                {"on-rank", "1", "[", "print", "{PID}", "]", "pause"});
    const std::string line = launch.until("[1] ");
    std::vector<Client> clients;
    for (int i = 0; disturbed && i < 24; ++i) {
      clients.emplace_back(port);
      // A third each: no request, garbage without end, an answer that is not read.
      if (i % 3 == 1) clients.back().send(std::string(1 << 20, 'x'));
      if (i % 3 == 2) {
        for (int request = 0; request < 100; ++request) clients.back().send(kGet);
      }
    }
    const auto killed = Clock::now();
    kill(std::stoi(line.substr(4)), SIGKILL);
    CHECK(launch.wait_exit() == Status{.code = 137});
    took[disturbed] = Clock::now() - killed;
    CHECK(finish(scene, launch).status == Status{.code = 137});
  }
  MESSAGE("death to the end of the launch: " << took[0].count() / 1000 << " us, disturbed "
                                             << took[1].count() / 1000 << " us");
  CHECK(took[1] < took[0] + std::chrono::milliseconds(250));
}

TEST_CASE("clients that stall are disconnected, and others are served meanwhile and afterwards") {
  const Scene scene;
  auto [launch, port] = serve(scene, {"--nproc", "1"}, {"wait-file", scene.path("end")});
  std::vector<Client> stalled;
  for (int i = 0; i < 7; ++i) stalled.emplace_back(port);
  CHECK(contains(scrape(port), " 200 OK"));
  // All places are taken: the next one waits until the first are disconnected.
  stalled.emplace_back(port);
  const auto began = Clock::now();
  CHECK(contains(scrape(port), " 200 OK"));
  CHECK(Clock::now() - began > std::chrono::seconds(2));
  for (const auto& one : stalled) CHECK(one.rest() == "");
  std::ofstream(scene.path("end"));
  finish(scene, launch);
}

TEST_CASE("a reader of the file never sees half of it") {
  CHECK_FALSE(is_whole("# HELP ddp_launch_build_info half"));  // the control
  const Scene scene;
  const std::string file = scene.path("run.prom");
  Process launch = scene.launch(
      {"--nproc", "2", "--run-id", "r", "--metrics-file", file},
      helper({"print", "up", "tick", "250", "10", "[", "notify", "X_DDP_STEP={TICK}", "]"}));
  launch.until("up");
  std::size_t whole = 0;
  std::size_t other = 0;
  std::vector<std::string> seen;
  const Deadline deadline;
  while (!contains(seen.empty() ? "" : seen.back(), "ddp_launch_run_exit_code{run_id=\"r\"} 0\n")) {
    REQUIRE(deadline.remaining_ms() > 0);
    auto text = read(file);
    if (text.empty()) continue;  // there is none yet
    ++(is_whole(text) ? whole : other);
    if (seen.empty() || seen.back() != text) seen.push_back(std::move(text));
  }
  CHECK(other == 0);
  CHECK(whole >= seen.size());
  CHECK(seen.size() >= 2);  // one while it ran, and the end
  CHECK(seen.size() <= 10);
  CHECK(contains(seen.back(), "ddp_launch_rank_step{run_id=\"r\",rank=\"1\"} 249\n"));
  CHECK(finish(scene, launch).status == Status{.code = 0});
  // Nothing of how it was written is left.
  for (const auto& one : std::filesystem::directory_iterator(scene.directory))
    CHECK_FALSE(contains(one.path().filename().string(), ".tmp"));
}

TEST_CASE("a file that can no longer be written is a warning, once, and no failure") {
  const Scene scene;
  std::filesystem::create_directory(scene.path("gone"));
  Process launch = scene.launch({"--nproc", "1", "--metrics-file", scene.path("gone/run.prom")},
                                helper({"print", "up", "wait-file", scene.path("end"), "tick",
                                        "150", "10", "[", "notify", "X_DDP_STEP={TICK}", "]"}));
  launch.until("up");
  std::filesystem::remove_all(scene.path("gone"));
  std::ofstream(scene.path("end"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "ddp-launch: warning: --metrics-file: " + scene.path("gone/run.prom") +
                       ": No such file or directory; it is not up to date\n");
}

TEST_CASE("a launch that is scraped by no one is not woken by its metrics") {
  const Scene scene;
  const auto switches = [&](const Words& flags) {
    Process launch = scene.launch(flags + Words{"--nproc", "1", "--run-id", "r"},
                                  helper({"print", "up", "wait-file", scene.path("end")}));
    launch.until("up");
    const int pid = supervisor_pid(launch);
    const auto count = [pid] {
      std::ifstream status("/proc/" + std::to_string(pid) + "/status");
      long number = -1;
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("voluntary_ctxt_switches:")) number = std::stol(line.substr(24));
      }
      return number;
    };
    ::poll(nullptr, 0, 1500);  // until the file has been written
    const long before = count();
    ::poll(nullptr, 0, 1000);
    const long woken = count() - before;
    launch.send_signal(SIGTERM);
    launch.wait();
    return woken;
  };
  CHECK(switches({"--metrics", "0", "--metrics-file", scene.path("run.prom")}) == 0);
  CHECK(switches({}) == 0);
}
