#include "launcher/options.hpp"
