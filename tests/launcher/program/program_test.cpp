#include "launcher/program/program.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

using namespace ddp;
using Words = std::vector<std::string>;

namespace {

// A working directory with programs in it, and an environment.
struct Place {
  std::string at = test::make_temp_dir();
  std::map<std::string, std::string> environment;

  void file(const std::string& name, const std::string& content, bool executable) const {
    const std::string path = at + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << content;
    REQUIRE(::chmod(path.c_str(), executable ? 0755 : 0644) == 0);
  }
  std::variant<Words, ExitNow> command(const Words& words,
                                       ProgramKind kind = ProgramKind::automatic) const {
    const GetEnv get_env = [this](const char* name) -> const char* {
      const auto it = environment.find(name);
      return it == environment.end() ? nullptr : it->second.c_str();
    };
    return program_command(kind, words, get_env, at);
  }
  Words good(const Words& words, ProgramKind kind = ProgramKind::automatic) const {
    auto made = command(words, kind);
    const auto* leave = std::get_if<ExitNow>(&made);
    REQUIRE_MESSAGE(leave == nullptr, leave->text);
    return std::get<Words>(std::move(made));
  }
  void refused(const Words& words, int code, const std::string& line,
               ProgramKind kind = ProgramKind::automatic) const {
    const auto made = command(words, kind);
    REQUIRE(std::holds_alternative<ExitNow>(made));
    CHECK(std::get<ExitNow>(made).code == code);
    CHECK(std::get<ExitNow>(made).text == "ddp-launch: " + line + "\n");
  }
};

}  // namespace

TEST_CASE("a script runs under Python, unless its first line names a program and it may run") {
  Place place;
  place.file("train.py", "print(1)\n", false);
  place.file("own.py", "#!/bin/sh\n", true);
  place.file("odd.py", "print(1)\n", true);
  place.file("sub/train.py", "#!/usr/bin/python3\n", false);
  CHECK(place.good({"train.py", "--lr", "1"}) == Words{"python3", "-u", "train.py", "--lr", "1"});
  CHECK(place.good({"./train.py"}) == Words{"python3", "-u", "./train.py"});
  CHECK(place.good({"sub/train.py"}) == Words{"python3", "-u", "sub/train.py"});
  CHECK(place.good({"own.py", "x"}) == Words{"./own.py", "x"});
  CHECK(place.good({"./own.py"}) == Words{"./own.py"});
  CHECK(place.good({place.at + "/own.py"}) == Words{place.at + "/own.py"});
  // Executable, but without a first line exec would fail on it.
  CHECK(place.good({"odd.py"}) == Words{"python3", "-u", "odd.py"});
}

TEST_CASE("a directory with __main__.py is a Python program") {
  Place place;
  place.file("app/__main__.py", "", false);
  CHECK(place.good({"./app"}) == Words{"python3", "-u", "./app"});
  CHECK(place.good({"app"}) == Words{"python3", "-u", "app"});
  place.file("tool/__main__.py", "#!/usr/bin/python3\n", true);
  CHECK(place.good({"./tool"}) == Words{"python3", "-u", "./tool"});
  place.refused({"nothing.py/"}, 127, "no script 'nothing.py/' in " + place.at,
                ProgramKind::script);
}

TEST_CASE("an executable is left as it is") {
  Place place;
  place.file("worker", "", true);
  CHECK(place.good({"./worker"}) == Words{"./worker"});
  CHECK(place.good({"worker"}) == Words{"worker"});
  CHECK(place.good({"python3", "train.py"}) == Words{"python3", "train.py"});
  CHECK(place.good({"/nonexistent/worker"}) == Words{"/nonexistent/worker"});  // exec will say so
}

TEST_CASE("a name that only PATH has is an executable even if it ends in .py") {
  Place place;
  place.file("bin/pytool.py", "#!/bin/sh\n", true);
  place.environment["PATH"] = "/nonexistent:" + place.at + "/bin";
  CHECK(place.good({"pytool.py"}) == Words{"pytool.py"});
}

TEST_CASE("the flags say what the program is, whatever its name") {
  Place place;
  place.file("train.py", "", false);
  place.file("train", "", false);
  CHECK(place.good({"pkg.mod", "-x"}, ProgramKind::module) ==
        Words{"python3", "-u", "-m", "pkg.mod", "-x"});
  CHECK(place.good({"train.py"}, ProgramKind::executable) == Words{"train.py"});
  CHECK(place.good({"train"}, ProgramKind::script) == Words{"python3", "-u", "train"});
  place.file("-odd", "", false);
  CHECK(place.good({"-odd"}, ProgramKind::script) == Words{"python3", "-u", "./-odd"});
}

TEST_CASE("the interpreter is PYTHON_EXEC, else the active environment's, else python3") {
  Place place;
  place.file("train.py", "", false);
  place.file("venv/bin/python3", "", true);
  place.file("conda/bin/python3", "", true);
  const auto python = [&] { return place.good({"train.py"})[0]; };
  CHECK(python() == "python3");
  place.environment["CONDA_PREFIX"] = place.at + "/conda";
  CHECK(python() == place.at + "/conda/bin/python3");
  place.environment["VIRTUAL_ENV"] = place.at + "/venv";
  CHECK(python() == place.at + "/venv/bin/python3");
  place.environment["VIRTUAL_ENV"] = place.at + "/removed";  // stale
  CHECK(python() == place.at + "/conda/bin/python3");
  place.environment["PYTHON_EXEC"] = "pypy3";
  CHECK(python() == "pypy3");
  place.environment["PYTHON_EXEC"] = "";
  CHECK(python() == place.at + "/conda/bin/python3");
}

TEST_CASE("a script that is not there is refused with the place and the nearest name") {
  Place place;
  place.file("train.py", "", false);
  place.refused({"trian.py"}, 127,
                "no script 'trian.py' in " + place.at + " (did you mean train.py?)");
  place.refused({"./trian.py"}, 127,
                "no script './trian.py' in " + place.at + " (did you mean ./train.py?)");
  place.refused({"/nonexistent/x.py"}, 127, "no script '/nonexistent/x.py'");
  place.refused({"evaluate.py"}, 127, "no script 'evaluate.py' in " + place.at);
  place.refused({"/dev/null"}, 126, "'/dev/null' is no file: expected a script",
                ProgramKind::script);
  std::filesystem::create_symlink("nowhere.py", place.at + "/link.py");
  place.refused({"link.py"}, 127, "the script 'link.py' is a link to a file that does not exist");
  std::filesystem::create_symlink("loop.py", place.at + "/loop.py");
  place.refused({"loop.py"}, 126,
                "cannot read the script 'loop.py': Too many levels of symbolic links");
  std::filesystem::create_directory(place.at + "/empty");
  place.refused({"empty"}, 126, "'empty' is a directory without __main__.py: expected a script",
                ProgramKind::script);
}
