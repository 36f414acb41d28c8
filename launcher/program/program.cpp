#include "launcher/program/program.hpp"

#include "common/env_names.hpp"
#include "common/utf8.hpp"
#include "launcher/base/edit_distance.hpp"
#include "launcher/base/nearest_file.hpp"
#include "launcher/core/exit_code.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace ddp {
namespace {

constexpr std::string_view kWorkers = "Workers";

constexpr FlagSpec kFlags[] = {
    {"--module,-m", "", ValueKind::toggle, "off", kWorkers,
     "PROGRAM is a Python module, run as python3 -m does"},
    {"--no-python", "", ValueKind::toggle, "off", kWorkers,
     "PROGRAM is an executable, whatever its name"},
    {"--run-path", "", ValueKind::toggle, "off", kWorkers,
     "PROGRAM is a Python script, whatever its name and mode"},
};

enum class FileKind { missing, unreadable, other, directory, plain, executable, executable_script };

FileKind examine(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return errno == ENOENT || errno == ENOTDIR ? FileKind::missing : FileKind::unreadable;
  if (S_ISDIR(info.st_mode)) return FileKind::directory;
  if (!S_ISREG(info.st_mode)) return FileKind::other;
  if (::access(path.c_str(), X_OK) != 0) return FileKind::plain;
  char head[2] = {};
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool shebang = fd != -1 && ::read(fd, head, 2) == 2 && head[0] == '#' && head[1] == '!';
  if (fd != -1) ::close(fd);
  return shebang ? FileKind::executable_script : FileKind::executable;
}

bool is_program_directory(const std::string& path) {
  return examine(path) == FileKind::directory &&
         examine(path + "/__main__.py") != FileKind::missing;
}

bool set(const char* value) { return value != nullptr && *value != '\0'; }

std::string interpreter(const GetEnv& get_env) {
  if (const char* const exec = get_env(env::kPythonExec); set(exec)) return exec;
  for (const char* const variable : {env::kVirtualEnv, env::kCondaPrefix}) {
    const char* const prefix = get_env(variable);
    if (!set(prefix)) continue;
    const std::string python = std::string(prefix) + "/bin/python3";
    if (::access(python.c_str(), X_OK) == 0) return python;
  }
  return "python3";
}

ExitNow refused(int code, const std::string& why) {
  return ExitNow{code, "ddp-launch: " + without_controls(why) + "\n"};
}

class Command {
 public:
  Command(const std::vector<std::string>& words, const GetEnv& get_env, std::string directory)
      : words_(words), get_env_(get_env), directory_(std::move(directory)) {}

  std::variant<std::vector<std::string>, ExitNow> of(ProgramKind kind) const {
    switch (kind) {
      case ProgramKind::executable:
        return words_;
      case ProgramKind::module:
        return under_python({"-m", words_[0]});
      case ProgramKind::script:
        return script();
      case ProgramKind::automatic:
        break;
    }
    return automatic();
  }

 private:
  using Result = std::variant<std::vector<std::string>, ExitNow>;

  Result automatic() const {
    const std::string& word = words_[0];
    const bool is_path = word.find('/') != std::string::npos;
    const FileKind file = examine(place());
    if (is_program_directory(place()) && (is_path || !in_path())) return script();
    if (!word.ends_with(".py")) return words_;
    // A name that PATH finds and this directory does not have is an executable.
    if (file == FileKind::missing && !is_path && in_path()) return words_;
    if (file != FileKind::executable_script) return script();
    std::vector<std::string> command = words_;
    if (!is_path) command[0] = "./" + word;  // exec would search PATH
    return command;
  }

  Result script() const {
    const std::string& word = words_[0];
    switch (examine(place())) {
      case FileKind::missing:
        return refused(core::kNotFound, not_found());
      case FileKind::other:
        return refused(core::kNotExecutable, "'" + word + "' is no file: expected a script");
      case FileKind::unreadable:
        return refused(core::kNotExecutable,
                       "cannot read the script '" + word + "': " + std::strerror(errno));
      case FileKind::directory:
        if (!is_program_directory(place()))
          return refused(core::kNotExecutable,
                         "'" + word + "' is a directory without __main__.py: expected a script");
        break;
      default:
        break;
    }
    // A name that begins with '-' would be an option of Python.
    return under_python({word.starts_with('-') ? "./" + word : word});
  }

  std::vector<std::string> under_python(std::vector<std::string> what) const {
    std::vector<std::string> command{interpreter(get_env_), "-u"};
    command.insert(command.end(), what.begin(), what.end());
    command.insert(command.end(), words_.begin() + 1, words_.end());
    return command;
  }

  // Where the first word is, as a path.
  std::string place() const {
    const std::string& word = words_[0];
    if (word.starts_with('/') || directory_.empty()) return word;
    return directory_ + "/" + word;
  }

  bool in_path() const {
    const char* const path = get_env_("PATH");
    std::string_view rest = path != nullptr ? path : "";
    while (!rest.empty()) {
      const std::size_t colon = rest.find(':');
      const std::string candidate = std::string(rest.substr(0, colon)) + "/" + words_[0];
      if (::access(candidate.c_str(), X_OK) == 0) return true;
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    }
    return false;
  }

  std::string not_found() const {
    const std::string& word = words_[0];
    struct stat link {};
    if (::lstat(place().c_str(), &link) == 0)
      return "the script '" + word + "' is a link to a file that does not exist";
    std::string text = "no script '" + word + "'";
    if (!word.starts_with('/')) text += " in " + working_directory();
    std::string near = nearest_file(place());
    if (near.starts_with(directory_ + "/") && !directory_.empty())
      near.erase(0, directory_.size() + 1);
    return text + did_you_mean(near);
  }

  std::string working_directory() const {
    if (!directory_.empty()) return directory_;
    char* const path = ::get_current_dir_name();
    const std::string text = path != nullptr ? path : "the current directory";
    ::free(path);
    return text;
  }

  const std::vector<std::string>& words_;
  const GetEnv& get_env_;
  const std::string directory_;
};

}  // namespace

std::span<const FlagSpec> program_flags() { return kFlags; }

Failure read_program_kind(const SettingsReader& reader, ProgramKind& kind) {
  const std::pair<const char*, ProgramKind> flags[] = {{"--module", ProgramKind::module},
                                                       {"--no-python", ProgramKind::executable},
                                                       {"--run-path", ProgramKind::script}};
  const Setting* other = nullptr;
  for (const auto& [flag, meaning] : flags) {
    if (!reader.toggle(flag)) continue;
    const Setting* const setting = reader.given(flag);
    if (other != nullptr)
      return Error{other->what + " and " + setting->what +
                   " contradict each other: expected one of them"};
    other = setting;
    kind = meaning;
  }
  return std::nullopt;
}

std::variant<std::vector<std::string>, ExitNow> program_command(
    ProgramKind kind, const std::vector<std::string>& words, const GetEnv& get_env,
    const std::string& directory) {
  return Command(words, get_env, directory).of(kind);
}

}  // namespace ddp
