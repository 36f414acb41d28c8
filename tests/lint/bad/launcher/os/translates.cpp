#include "launcher/supervisor.hpp"

#include <vector>

#include <boost/asio/io_context.hpp>
