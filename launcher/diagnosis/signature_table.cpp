// Runs while the launcher is built: reads a file of signatures and writes it as a constant table in
// C++.
//
//   ddp_signature_table signatures.toml built_in.cpp
#include "launcher/diagnosis/signature_file.hpp"

#include <fstream>
#include <iostream>
#include <ostream>

namespace ddp::diagnosis {
namespace {

std::string quoted(std::string_view text) {
  static constexpr char kDigits[] = "01234567";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte > '~' || c == '"' || c == '\\' || c == '?') {  // "?": no trigraphs
      out += {'\\', kDigits[byte >> 6], kDigits[byte >> 3 & 7], kDigits[byte & 7]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string code(int value) { return std::to_string(value); }
std::string code(SystemFact fact) {
  return "SystemFact::" + std::string(kSystemFacts[static_cast<std::size_t>(fact)].name);
}
std::string code(const LineCondition& one) {
  return "{" + quoted(one.literal) + ", " + quoted(one.expression) + "}";
}

template <class Value>
void write_array(std::ostream& out, const char* type, const std::string& name,
                 std::span<const Value> values) {
  if (values.empty()) return;
  out << "constexpr " << type << " " << name << "[] = {";
  for (const auto& one : values) out << code(one) << ", ";
  out << "};\n";
}

template <class Value>
std::string array_or_none(const std::string& name, std::span<const Value> values) {
  return values.empty() ? "{}" : name;
}

void write_table(std::ostream& out, std::span<const Signature> signatures) {
  out << "#include \"launcher/diagnosis/built_in.hpp\"\n\nnamespace ddp::diagnosis {\nnamespace "
         "{\n\n";
  std::string rows;
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const auto& one = signatures[i];
    const auto name = [&](const char* what) { return what + std::to_string(i); };
    write_array(out, "int", name("kExitCodes"), one.exit_codes);
    write_array(out, "int", name("kSignals"), one.signals);
    write_array(out, "LineCondition", name("kLines"), one.lines);
    write_array(out, "LineCondition", name("kKernel"), one.kernel);
    write_array(out, "SystemFact", name("kSystem"), one.system);
    rows += "    {" + quoted(one.name) + ", " + array_or_none(name("kExitCodes"), one.exit_codes) +
            ", " + array_or_none(name("kSignals"), one.signals) + ", " +
            array_or_none(name("kLines"), one.lines) + ", " +
            array_or_none(name("kKernel"), one.kernel) + ", " +
            array_or_none(name("kSystem"), one.system) + ", " +
            (one.consequence ? "true" : "false") + ",\n     " + quoted(one.cause) + ",\n     " +
            quoted(one.remedy) + "},\n";
  }
  out << "\nconstexpr Signature kSignatures[] = {\n"
      << rows
      << "};\n\n}  // namespace\n\nstd::span<const Signature> built_in_signatures() { return "
         "kSignatures; }\n\n}  // namespace ddp::diagnosis\n";
}

}  // namespace
}  // namespace ddp::diagnosis

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: ddp_signature_table FILE.toml FILE.cpp\n";
    return 2;
  }
  const auto read = ddp::diagnosis::read_signatures(argv[1]);
  if (!read) {
    std::cerr << read.error() << '\n';
    return 1;
  }
  std::ofstream out(argv[2]);
  ddp::diagnosis::write_table(out, read->signatures);
  out.close();
  if (!out) {
    std::cerr << argv[2] << ": cannot be written\n";
    return 1;
  }
  return 0;
}
