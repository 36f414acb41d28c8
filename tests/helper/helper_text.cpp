// The output of ddp-test-helper, and the placeholders in its texts.
#include "tests/helper/helper.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

extern char** environ;

namespace ddp::helper {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) _exit(98);  // its reader is gone
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string environment(const char* name) {
  const char* const value = getenv(name);
  if (value == nullptr) die(std::string(name) + " is not set");
  return value;
}

std::string expand(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '{') {
      result += text[at];
      continue;
    }
    if (text.substr(at, 2) == "{{") {
      result += text[at++];
      continue;
    }
    const auto end = text.find('}', at);
    if (end == std::string_view::npos) die("no } in '" + std::string(text) + "'");
    const std::string name(text.substr(at + 1, end - at - 1));
    if (name == "PID") {
      result += std::to_string(getpid());
    } else if (name == "PPID") {
      result += std::to_string(getppid());
    } else if (name == "PGID") {
      result += std::to_string(getpgrp());
    } else if (name == "SID") {
      result += std::to_string(getsid(0));
    } else {
      result += environment(name.c_str());
    }
    at = end;
  }
  return result;
}

std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      result += text[at];
      continue;
    }
    switch (text[++at]) {
      case 'n':
        result += '\n';
        break;
      case 'r':
        result += '\r';
        break;
      case 't':
        result += '\t';
        break;
      case '0':
        result += '\0';
        break;
      case '\\':
        result += '\\';
        break;
      default:
        die("unknown escape in '" + std::string(text) + "'");
    }
  }
  return result;
}

bool holds(const std::string& numbers, const std::string& number) {
  return ("," + numbers + ",").find("," + number + ",") != std::string::npos;
}

void print_environment() {
  std::string text;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    text += std::string("env ") + *variable + "\n";
  }
  write_all(1, text);
}

void print_descriptors() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) die_errno("/proc/self/fd");
  std::vector<int> numbers;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = atoi(entry->d_name);
    if (fd != dirfd(directory)) numbers.push_back(fd);
  }
  closedir(directory);
  std::sort(numbers.begin(), numbers.end());
  std::string text;
  for (const int fd : numbers) {
    std::array<char, 4096> target;
    const auto path = "/proc/self/fd/" + std::to_string(fd);
    const auto size = readlink(path.c_str(), target.data(), target.size());
    text += "fd " + std::to_string(fd) + " " +
            std::string(target.data(), size > 0 ? static_cast<std::size_t>(size) : 0) + "\n";
  }
  write_all(1, text);
}

void print_terminals() {
  std::string text;
  for (int fd = 0; fd <= 2; ++fd) {
    text += "tty " + std::to_string(fd);
    termios mode{};
    winsize size{};
    if (tcgetattr(fd, &mode) != 0) {
      text += " none\n";
      continue;
    }
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) die_errno("TIOCGWINSZ");
    text += " " + std::to_string(size.ws_col) + "x" + std::to_string(size.ws_row) +
            " opost=" + std::to_string((mode.c_oflag & OPOST) != 0) +
            " echo=" + std::to_string((mode.c_lflag & ECHO) != 0) + "\n";
  }
  const int controlling = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  text += std::string("tty controlling ") + (controlling >= 0 ? "one" : "none") + "\n";
  if (controlling >= 0) close(controlling);
  write_all(1, text);
}

void print_signals() {
  std::ifstream status("/proc/self/status");
  std::string text;
  for (std::string line; std::getline(status, line);) {
    for (const char* field : {"SigBlk:", "SigIgn:", "SigCgt:"}) {
      if (line.rfind(field, 0) == 0) text += "signals " + line + "\n";
    }
  }
  write_all(1, text);
}

void write_lines(int fd, long count) {
  const std::string rank = environment("RANK");
  for (long number = 0; number < count; ++number) {
    // Of different lengths, so that a torn line shows.
    write_all(fd, rank + " " + std::to_string(number) + " " +
                      std::string(static_cast<std::size_t>(number * 7 % 120), '.') + "|\n");
  }
}

}  // namespace ddp::helper
