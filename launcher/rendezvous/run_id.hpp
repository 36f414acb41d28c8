// The name of a run: a directory under --log-dir, a column in a table, a word in a message.
#pragma once

#include <string>
#include <string_view>

namespace ddp {

// What a refusal says is allowed.
inline constexpr std::string_view kRunIdRule =
    "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter, digit or '_'";

// 1 … 64 of A-Z a-z 0-9 . _ -, not beginning with '.' or '-'.
bool is_run_id(std::string_view text);

// "20261123-205700-x7kq": UTC, so that names sort by time, and four random letters (a million
// to one against two launches within one second).
std::string generate_run_id();

}  // namespace ddp
