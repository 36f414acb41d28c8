#include "launcher/core/decides.hpp"

#include "launcher/os/fd.hpp"
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include <chrono>

auto now() { return std::chrono::steady_clock::now(); }
