// Calls a fuzz target with every file under the folders that are named: the corpus as a plain test,
// with any compiler.
#include "tests/fuzz/fuzz.hpp"

#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      // Printed before, so that a crash names its input.
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      try {
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
      } catch (const std::exception& error) {
        std::fprintf(stderr, "fuzz: uncaught: %s\n", error.what());
        return 1;
      }
      ++count;
    }
  }
  if (count == 0) {
    std::fprintf(stderr, "usage: <target> CORPUS...: no input was found\n");
    return 2;
  }
  return 0;
}
