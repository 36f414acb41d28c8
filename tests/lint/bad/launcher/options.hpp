#include <CLI/CLI.hpp>

using namespace std;
