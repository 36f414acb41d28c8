// Without a head.
#pragma once
