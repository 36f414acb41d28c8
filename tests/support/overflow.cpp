// Reads one int past the end of an array with one int per argument.
#include <cstddef>
#include <vector>

int main(int argc, char**) {
  const std::vector<int> numbers(static_cast<std::size_t>(argc));
  return numbers.data()[argc];
}
