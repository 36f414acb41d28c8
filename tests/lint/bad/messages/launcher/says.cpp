// What is struck here goes with nobody.
#include "said, not by the launcher"

void says() {
  notice("rank " + std::to_string(rank) + " was killed, as the rank beside it told");
  notice(late ? "the group will be stopped" : "the port had vanished");
  refuse(fmt::format("cannot open {}: "
                     "it is a directory.",
                     path));
  warn("no port is free" + (why.empty() ? "" : ": the kernel says " + why));
  warn("no port is free");
  warn("no port is free");
  warn("a sentence that is longer than a terminal of a hundred columns is wide, in which it breaks {:>40}");
  warn("a sentence that is short, though its placeholder {:>40} makes it look long in the source code");
  kStruckRanks = R"(not "closed" here)";
}
