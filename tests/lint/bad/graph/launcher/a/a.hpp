// Room: launcher/a. Includes more than it says.
// Includes: no other. Included by: launcher/b.
#pragma once

#include "launcher/b/b.hpp"
