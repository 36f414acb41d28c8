#include "launcher/ddpctl/report_command.hpp"

#include "common/utf8.hpp"
#include "launcher/base/write_file.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/page/page.hpp"
#include "launcher/trace/trace.hpp"

#include <filesystem>
#include <system_error>

namespace ddp::ctl {

namespace fs = std::filesystem;

Result<std::string> make_record(Verb verb, const std::string& where, const std::string& output) {
  std::error_code unknown;
  const std::string events = fs::is_directory(where, unknown) ? events_path(where) : where;
  const bool is_page = verb == Verb::report;
  auto text = is_page ? page::report(events) : trace::of_events(events);
  if (!text || output == "-") return text;
  const std::string path =
      output.empty()
          ? (fs::path(events).parent_path() / (is_page ? "report.html" : "trace.json")).string()
          : output;
  if (fs::equivalent(path, events, unknown))
    return Error{path + ": it has the run's events, and is not overwritten"};
  if (const auto failure = write_whole_file(path, *text); !failure.empty()) return Error{failure};
  return without_controls(as_utf8(path)) + "\n";
}

}  // namespace ddp::ctl
