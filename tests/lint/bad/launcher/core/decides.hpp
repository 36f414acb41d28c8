#pragma once
// A comment may say std::chrono::steady_clock::now() and sleep().
inline const char* text() { return "steady_clock::now()"; }
