#include "common/client/notifier.hpp"
#include "common/utf8.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

using ddp::Notifier;
using ddp::parse_notify;
using namespace std::chrono_literals;

namespace {

// The launcher's end, as small as it can be: one socket, one datagram at a time.
class Listener {
 public:
  explicit Listener(bool abstract) {
    std::string directory = "/tmp/ddp_notify_XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    directory_ = directory;
    address_ = directory + "/socket";
    if (abstract) address_[0] = '@';
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::memcpy(where.sun_path, address_.data(), address_.size());
    if (abstract) where.sun_path[0] = '\0';
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd_ >= 0);
    const timeval deadline{60, 0};
    REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline) == 0);
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size() + !abstract);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&where), length) == 0);
  }
  Listener(const Listener&) = delete;
  ~Listener() {
    ::close(fd_);
    ::unlink(address_.c_str());
    ::rmdir(directory_.c_str());
  }

  const std::string& address() const { return address_; }

  // Waits for the next datagram. `attached` gets the descriptor that came with it, or -1.
  std::string receive(int* attached = nullptr) {
    char bytes[2 * ddp::kNotifyMessageLimit];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec data{bytes, sizeof bytes};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd_, &header, MSG_CMSG_CLOEXEC);
    REQUIRE(size >= 0);
    if (attached != nullptr) {
      *attached = -1;
      if (const cmsghdr* rights = CMSG_FIRSTHDR(&header)) {
        std::memcpy(attached, CMSG_DATA(rights), sizeof *attached);
      }
    }
    return std::string(bytes, static_cast<std::size_t>(size));
  }

  bool empty() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
  }

  // Sends until the queue is full; how many went in. What one socket may have on its way can be
  // less than a long queue takes: only one that cannot send its first shows that the queue is full.
  int fill(Notifier& notifier) {
    int sent = 0;
    for (int before = -1; sent != before;) {
      before = sent;
      sent += send_all_there_is_room_for();
    }
    notifier.watchdog();  // refused: the queue is full
    return sent;
  }

 private:
  int send_all_there_is_room_for() {
    int sent = 0;
    const int spy = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un where{};
    socklen_t length = sizeof where;
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &length) == 0);
    REQUIRE(::connect(spy, reinterpret_cast<sockaddr*>(&where), length) == 0);
    while (::send(spy, "X_FILL=1", 8, MSG_DONTWAIT) >= 0) ++sent;
    REQUIRE(errno == EAGAIN);
    ::close(spy);
    return sent;
  }

  std::string directory_;
  std::string address_;
  int fd_ = -1;
};

}  // namespace

TEST_CASE("every line of the protocol is read") {
  const auto m = parse_notify(
      "READY=1\nWATCHDOG=1\nSTATUS=epoch 3: \xc3\xa9\nX_DDP_STEP=42\nX_DDP_PHASE=forward\n"
      "X_DDP_METRIC=loss=1.25\nX_DDP_METRIC=lr=3e-4\nBARRIER=1\n");
  CHECK(m.ready);
  CHECK(m.watchdog);
  CHECK(m.barrier);
  CHECK(m.status == "epoch 3: \xc3\xa9");
  CHECK(m.step == 42);
  CHECK(m.phase == "forward");
  REQUIRE(m.metrics.size() == 2);
  CHECK(m.metrics[0] == std::pair<std::string, double>("loss", 1.25));
  CHECK(m.metrics[1] == std::pair<std::string, double>("lr", 3e-4));
}

TEST_CASE("what is unknown, malformed or out of range is skipped and the rest is kept") {
  for (const char* line : {"",
                           "=",
                           "READY",
                           "READY=",
                           "READY=0",
                           "READY=11",
                           " READY=1",
                           "MAINPID=1",
                           "FDSTORE=1",
                           "X_DDP_STEP=",
                           "X_DDP_STEP=-1",
                           "X_DDP_STEP=+1",
                           "X_DDP_STEP=1.5",
                           "X_DDP_STEP=1 ",
                           "X_DDP_STEP=9223372036854775808",
                           "X_DDP_PHASE=",
                           "X_DDP_PHASE=\x1b[2J",
                           "X_DDP_PHASE=\xff",
                           "X_DDP_PHASE=\xc2\x9b",
                           "X_DDP_METRIC=",
                           "X_DDP_METRIC=loss",
                           "X_DDP_METRIC==1",
                           "X_DDP_METRIC=loss=",
                           "X_DDP_METRIC=loss=1x",
                           "X_DDP_METRIC=loss=1e999",
                           "STATUS=\xc0\xaf",
                           "STATUS=\xed\xa0\x80",
                           "BARRIER=2",
                           "WATCHDOG=trigger"}) {
    CAPTURE(line);
    const auto m = parse_notify(std::string(line) + "\nX_DDP_METRIC=kept=7");
    CHECK_FALSE(m.ready);
    CHECK_FALSE(m.watchdog);
    CHECK_FALSE(m.barrier);
    CHECK_FALSE(m.status);
    CHECK_FALSE(m.phase);
    CHECK_FALSE(m.step);
    REQUIRE(m.metrics.size() == 1);
    CHECK(m.metrics[0].first == "kept");
  }
  CHECK(parse_notify("X_DDP_STEP=9223372036854775807").step == INT64_MAX);
  CHECK(parse_notify("X_DDP_PHASE=" + std::string(64, 'p')).phase == std::string(64, 'p'));
  CHECK_FALSE(parse_notify("X_DDP_PHASE=" + std::string(65, 'p')).phase);
}

TEST_CASE("a loss that is not a number is still reported") {
  const auto m = parse_notify("X_DDP_METRIC=loss=nan\nX_DDP_METRIC=loss=-inf");
  REQUIRE(m.metrics.size() == 2);
  CHECK(std::isnan(m.metrics[0].second));
  CHECK(m.metrics[1].second == -INFINITY);
}

TEST_CASE("a status cannot steer the terminal") {
  CHECK(parse_notify("STATUS=a\x1b[31mb\x7f\rc\xc2\x9b").status == "a [31mb  c ");
}

TEST_CASE("a datagram that is too long or holds a NUL is ignored") {
  const std::string ready = "READY=1\n";
  CHECK(parse_notify(ready + std::string(ddp::kNotifyMessageLimit - ready.size(), 'x')).ready);
  CHECK_FALSE(
      parse_notify(ready + std::string(ddp::kNotifyMessageLimit + 1 - ready.size(), 'x')).ready);
  CHECK(parse_notify(std::string_view("READY=1\0", 8)).ready);
  CHECK_FALSE(parse_notify(std::string_view("READY=1\0\0", 9)).ready);
  CHECK_FALSE(parse_notify(std::string_view("READY=1\nSTATUS=\0x", 17)).ready);
}

TEST_CASE("random and hostile bytes never break the reader's promises") {
  std::mt19937 random(7);
  const std::vector<std::string> pieces = {
      "READY=1",      "STATUS=", "X_DDP_STEP=", "X_DDP_PHASE=", "=",    "\n",   "X_DDP_METRIC=",
      "loss=",        "1e308",   "-",           "999999999999", "\xc3", "\xa9", "BARRIER=1",
      "\x1b]0;x\x07", "nan"};
  for (int round = 0; round < 20000; ++round) {
    std::string datagram;
    const std::size_t parts = random() % 24;
    for (std::size_t i = 0; i < parts; ++i) {
      if (random() % 4 == 0) {
        datagram += static_cast<char>(random());
      } else {
        datagram += pieces[random() % pieces.size()];
      }
    }
    const auto m = parse_notify(datagram);
    const bool says_ready = ("\n" + datagram + "\n").find("\nREADY=1\n") != std::string::npos ||
                            (datagram.ends_with('\0') &&
                             ("\n" + datagram).ends_with(std::string_view("\nREADY=1\0", 9)));
    if (m.ready) CHECK(says_ready);
    if (says_ready && datagram.find('\0') == std::string::npos) CHECK(m.ready);
    if (m.step) CHECK(*m.step >= 0);
    if (m.status) {
      CHECK(ddp::is_utf8(*m.status));
      CHECK_FALSE(ddp::has_control(*m.status));
    }
    if (m.phase) {
      CHECK(m.phase->size() <= ddp::kNotifyNameLimit);
      CHECK_FALSE(ddp::has_control(*m.phase));
    }
    for (const auto& metric : m.metrics) CHECK_FALSE(ddp::has_control(metric.first));
  }
}

TEST_CASE("without a launcher everything is quiet") {
  for (const char* address :
       {"", "@", "/", "relative", "vsock:1:2", "/nowhere/at/all", "@no-one"}) {
    Notifier notifier = Notifier::connect_to(address);
    CHECK_FALSE(notifier.connected());
    notifier.ready();
    notifier.step(1, {{"loss", 1.0}});
    CHECK_FALSE(notifier.barrier(1h));  // at once
  }
  CHECK_FALSE(Notifier::connect_to("/" + std::string(200, 'x')).connected());
}

TEST_CASE("NOTIFY_SOCKET names the launcher") {
  Listener launcher(false);
  REQUIRE(::setenv("NOTIFY_SOCKET", launcher.address().c_str(), 1) == 0);
  Notifier notifier = Notifier::from_environment();
  REQUIRE(::unsetenv("NOTIFY_SOCKET") == 0);
  CHECK(notifier.connected());
  CHECK_FALSE(Notifier::from_environment().connected());
}

TEST_CASE("what a worker reports arrives as it was sent") {
  for (const bool abstract : {false, true}) {
    CAPTURE(abstract);
    Listener launcher(abstract);
    Notifier notifier = Notifier::connect_to(launcher.address());
    REQUIRE(notifier.connected());
    notifier.ready();
    CHECK(launcher.receive() == "READY=1");
    notifier.watchdog();
    CHECK(launcher.receive() == "WATCHDOG=1");
    notifier.status("two\nlines");
    CHECK(launcher.receive() == "STATUS=two lines");
    notifier.phase("all reduce");
    CHECK(launcher.receive() == "X_DDP_PHASE=all reduce");
    notifier.step(5);
    CHECK(launcher.receive() == "X_DDP_STEP=5");
    notifier.step(6, {{"loss", 0.1}, {"a=b", 1e300}, {"bad", NAN}});
    const auto m = parse_notify(launcher.receive());
    CHECK(m.step == 6);
    REQUIRE(m.metrics.size() == 3);
    CHECK(m.metrics[0] == std::pair<std::string, double>("loss", 0.1));
    CHECK(m.metrics[1] == std::pair<std::string, double>("a_b", 1e300));
    CHECK(std::isnan(m.metrics[2].second));
  }
}

TEST_CASE("a message never grows past the limit and cuts no character") {
  Listener launcher(false);
  Notifier notifier = Notifier::connect_to(launcher.address());
  std::string long_text;
  while (long_text.size() < 3 * ddp::kNotifyMessageLimit) long_text += "\xe2\x82\xac";
  notifier.status(long_text);
  const std::string status = launcher.receive();
  CHECK(status.size() <= ddp::kNotifyMessageLimit);
  CHECK(status.size() > ddp::kNotifyMessageLimit - 4);
  CHECK(parse_notify(status).status.has_value());
  notifier.phase(long_text);
  CHECK(parse_notify(launcher.receive()).phase.has_value());
  notifier.step(1, std::vector<std::pair<std::string, double>>(1000, {"some metric", 0.5}));
  const std::string step = launcher.receive();
  CHECK(step.size() <= ddp::kNotifyMessageLimit);
  CHECK(parse_notify(step).metrics.size() > 100);
}

TEST_CASE("a full queue never blocks, and READY=1 is not lost in it") {
  Listener launcher(false);
  Notifier notifier = Notifier::connect_to(launcher.address());
  const int queued = launcher.fill(notifier);
  notifier.phase("first");
  notifier.ready();
  for (int step = 0; step < 10000; ++step) notifier.step(step);
  for (int i = 0; i < queued; ++i) CHECK(launcher.receive() == "X_FILL=1");
  REQUIRE(launcher.empty());
  notifier.step(10000);
  const auto m = parse_notify(launcher.receive());
  CHECK(m.ready);
  CHECK(m.step == 10000);
  notifier.step(10001);
  CHECK(launcher.receive() == "X_DDP_STEP=10001");
}

TEST_CASE("a launcher that dies does not stop the worker") {
  Notifier notifier;
  {
    Listener launcher(false);
    notifier = Notifier::connect_to(launcher.address());
    REQUIRE(notifier.connected());
  }
  notifier.step(1);  // SIGPIPE would end the test here
  CHECK_FALSE(notifier.barrier(1h));
}

TEST_CASE("a barrier returns once the launcher has closed what came with it, not before") {
  Listener launcher(false);
  Notifier notifier = Notifier::connect_to(launcher.address());
  bool handled = false;
  std::thread launch([&] {
    CHECK(launcher.receive() == "X_DDP_STEP=50");
    int pipe = -1;
    CHECK(launcher.receive(&pipe) == "BARRIER=1");
    REQUIRE(pipe >= 0);
    handled = true;
    ::close(pipe);
  });
  notifier.step(50);
  CHECK(notifier.barrier(60s));
  launch.join();
  CHECK(handled);
}

TEST_CASE("a barrier waits for room and sends what is unsent first") {
  Listener launcher(false);
  Notifier notifier = Notifier::connect_to(launcher.address());
  const int queued = launcher.fill(notifier);
  notifier.step(50);
  std::thread launch([&] {
    for (int i = 0; i < queued; ++i) launcher.receive();
    const auto m = parse_notify(launcher.receive());
    CHECK(m.step == 50);
    CHECK_FALSE(m.barrier);
    int pipe = -1;
    CHECK(launcher.receive(&pipe) == "BARRIER=1");
    REQUIRE(pipe >= 0);
    ::close(pipe);
  });
  CHECK(notifier.barrier(60s));
  launch.join();
}

TEST_CASE("the last messages wait for space, and no longer than the timeout") {
  Listener launcher(false);
  Notifier notifier = Notifier::connect_to(launcher.address());
  CHECK(notifier.flush(60s));  // nothing to say
  const int queued = launcher.fill(notifier);
  notifier.digest("00ff");
  CHECK_FALSE(notifier.flush(1ms));
  std::thread launch([&] {
    for (int i = 0; i < queued; ++i) launcher.receive();
    CHECK(parse_notify(launcher.receive()).digest == "00ff");
  });
  CHECK(notifier.flush(60s));
  launch.join();
}

TEST_CASE("heartbeats are sent as often as required, by the process of which they are required") {
  Listener launcher(false);
  ::unsetenv("WATCHDOG_PID");  // whose heartbeats somebody asked for who started this test
  ::setenv("NOTIFY_SOCKET", launcher.address().c_str(), 1);
  ::setenv("WATCHDOG_USEC", "8000000000000000", 1);  // longer than any machine has been up
  Notifier slow = Notifier::from_environment();
  slow.alive();
  slow.alive();  // not before a quarter of that
  CHECK(launcher.receive() == "WATCHDOG=1");
  CHECK(launcher.empty());
  ::setenv("WATCHDOG_USEC", "1", 1);
  Notifier fast = Notifier::from_environment();
  fast.alive();
  CHECK(launcher.receive() == "WATCHDOG=1");
  ::setenv("WATCHDOG_PID", "1", 1);
  Notifier::from_environment().alive();
  ::unsetenv("WATCHDOG_PID");
  for (const char* none : {"0", "-5", "soon", "", "9223372036854775807"}) {
    ::setenv("WATCHDOG_USEC", none, 1);
    Notifier::from_environment().alive();
  }
  ::unsetenv("WATCHDOG_USEC");
  Notifier::from_environment().alive();
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(launcher.empty());
}

TEST_CASE("a barrier without an answer ends at its deadline") {
  Listener launcher(false);
  Notifier notifier = Notifier::connect_to(launcher.address());
  CHECK_FALSE(notifier.barrier(20ms));
  int pipe = -1;
  CHECK(launcher.receive(&pipe) == "BARRIER=1");
  ::close(pipe);
  launcher.fill(notifier);
  CHECK_FALSE(notifier.barrier(20ms));
}

TEST_CASE("moving a notifier hands its socket on") {
  Listener launcher(false);
  Notifier first = Notifier::connect_to(launcher.address());
  Notifier second = std::move(first);
  CHECK_FALSE(first.connected());
  second.ready();
  CHECK(launcher.receive() == "READY=1");
}
