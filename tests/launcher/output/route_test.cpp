#include "launcher/output/route.hpp"

#include <doctest/doctest.h>

using namespace ddp::out;

namespace {

RouterConfig config_with(bool redirect, bool tee) {
  RouterConfig config;
  config.log_dir = "logs/run";
  config.redirect = {{.out = redirect}};
  config.tee = {{.out = tee}};
  return config;
}

}  // namespace

TEST_CASE("a stream goes to the console unless it is redirected") {
  const Route plain = route_of(config_with(false, false), 0, Stream::out);
  CHECK((plain.console && !plain.file && !plain.direct));
  const Route redirected = route_of(config_with(true, false), 0, Stream::out);
  CHECK((!redirected.console && redirected.file && redirected.direct));
  const Route teed = route_of(config_with(false, true), 0, Stream::out);
  CHECK((teed.console && teed.file && !teed.direct));
  const Route both = route_of(config_with(true, true), 0, Stream::out);
  CHECK((both.console && both.file && !both.direct));
  // The other stream and a rank behind the lists are as without.
  CHECK(route_of(config_with(true, false), 0, Stream::err).console);
  CHECK(route_of(config_with(true, false), 1, Stream::out).console);
}

TEST_CASE("without a log directory a redirected stream stays on the console") {
  RouterConfig config = config_with(true, false);
  config.log_dir.clear();
  const Route route = route_of(config, 0, Stream::out);
  CHECK((route.console && !route.file && !route.direct));
}

TEST_CASE("a file with prefixes is written by the launcher") {
  RouterConfig config = config_with(true, false);
  config.line_start.file = PrefixTemplate::rank();
  const Route route = route_of(config, 0, Stream::out);
  CHECK((!route.console && route.file && !route.direct));
}

TEST_CASE("the console shows no hidden rank, and nothing at all where it is off") {
  RouterConfig config = config_with(false, true);
  config.shown = {false, true};
  CHECK_FALSE(route_of(config, 0, Stream::out).console);
  CHECK(route_of(config, 1, Stream::out).console);
  config.style = Style::none;
  CHECK_FALSE(route_of(config, 1, Stream::out).console);
  CHECK(route_of(config, 0, Stream::out).file);
}
