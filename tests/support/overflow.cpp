// Reads one int behind an array of as many as it has arguments.
#include <cstddef>
#include <vector>

int main(int argc, char**) {
  const std::vector<int> numbers(static_cast<std::size_t>(argc));
  return numbers.data()[argc];
}
