// Room: launcher/b. Says all, and is in a circle.
// Includes: launcher/a. Included by: launcher/a.
#pragma once

#include "launcher/a/a.hpp"
