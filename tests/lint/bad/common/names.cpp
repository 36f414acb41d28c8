#include "launcher/options.hpp"

#include <spdlog/spdlog.h>
