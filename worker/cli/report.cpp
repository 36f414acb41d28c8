#include "worker/cli/report.hpp"

#include "worker/base/failure.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <numbers>

namespace ddp::worker {
namespace {

double bits(double nats) { return nats / std::numbers::ln2; }

// Writes 1234567 as "1,234,567".
std::string grouped(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));  // as Latin-1
    } else {
      out += c;
    }
  }
  return out + '"';
}

// What each rank's link carries in a ring, as "bus bandwidth" in nccl-tests: in GB/s.
double bus_bandwidth(const Summary& s) {
  if (s.communication.busy_seconds <= 0) return 0;
  const double n = s.world_size;
  return 2 * (n - 1) / n * static_cast<double>(s.communication.bytes) /
         s.communication.busy_seconds / 1e9;
}

double hidden_share(const CommStatistics& c) {
  if (c.busy_seconds <= 0) return 0;
  return 1 - std::min(1.0, c.exposed_seconds / c.busy_seconds);
}

}  // namespace

void Report::print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Failure(std::string("cannot write to standard output: ") + std::strerror(errno));
}

void Report::start(const RunFacts& f) {
  if (style_ == Style::silent) return;
  if (style_ == Style::json) {
    print(fmt::format(
        "{{\"event\":\"start\",\"world_size\":{},\"backend\":\"{}\",\"device\":{},"
        "\"parameters\":{},\"context\":{},\"embed\":{},\"hidden\":{},\"layers\":{},"
        "\"training_bytes\":{},\"validation_bytes\":{},\"order0_bits_per_byte\":{:.6f}}}\n",
        f.world_size, f.backend, json_string(f.device), f.parameters, f.model.context,
        f.model.embed, f.model.hidden, f.model.layers, f.training_bytes, f.validation_bytes,
        f.order0_entropy));
    return;
  }
  const std::string ranks = f.world_size == 1
                                ? std::string("1 rank")
                                : fmt::format("{} ranks over {}", f.world_size, f.backend);
  const std::string files =
      f.data.size() == 1 ? f.data.front() : fmt::format("{} files", f.data.size());
  print(fmt::format("group  {} · {}\n", ranks, f.device) +
        fmt::format("model  {} bytes × {} → {} × {} → {} · {} parameters · {} bucket{}\n",
                    f.model.context, f.model.embed, f.model.layers, f.model.hidden, kVocabulary,
                    grouped(static_cast<double>(f.parameters)), f.buckets,
                    f.buckets == 1 ? "" : "s") +
        fmt::format("data   {} · {} bytes, {} held out · order-0 entropy {:.2f} bits/byte\n", files,
                    grouped(static_cast<double>(f.training_bytes)),
                    grouped(static_cast<double>(f.validation_bytes)), f.order0_entropy));
}

void Report::step(const StepFacts& f) {
  if (style_ == Style::silent) return;
  if (style_ == Style::json) {
    print(
        fmt::format("{{\"event\":\"step\",\"step\":{},\"loss\":{:.9g},\"bits_per_byte\":{:.6g},"
                    "\"gradient_norm\":{:.6g},\"learning_rate\":{:.6g},\"ms_per_step\":{:.6g},"
                    "\"samples_per_second\":{:.6g}}}\n",
                    f.step, f.loss, bits(f.loss), f.gradient_norm, f.learning_rate,
                    f.seconds_per_step * 1e3, f.samples_per_second));
    return;
  }
  if (!header_printed_) print("   step      loss  bits/byte   ms/step   samples/s\n");
  header_printed_ = true;
  print(fmt::format("{:>7}  {:>8.5f}  {:>9.4f}  {:>8.2f}  {:>10}\n", f.step, f.loss, bits(f.loss),
                    f.seconds_per_step * 1e3, grouped(f.samples_per_second)));
}

void Report::validation(std::int64_t step, double bits_per_byte) {
  if (style_ == Style::silent) return;
  if (style_ == Style::json) {
    print(fmt::format("{{\"event\":\"validation\",\"step\":{},\"bits_per_byte\":{:.6f}}}\n", step,
                      bits_per_byte));
    return;
  }
  print(fmt::format("{:>7}  held out  {:>9.4f}  bits/byte\n", step, bits_per_byte));
}

void Report::summary(const Summary& s) {
  if (style_ == Style::silent) return;
  const double done = static_cast<double>(s.steps - s.first_step);
  const double ms = done > 0 ? s.seconds / done * 1e3 : 0;
  if (style_ == Style::json) {
    print(
        fmt::format("{{\"event\":\"summary\",\"first_step\":{},\"steps\":{},\"seconds\":{:.6f},"
                    "\"ms_per_step\":{:.6g},\"samples_per_second\":{:.6g},\"loss\":{:.9g},"
                    "\"bus_gb_per_second\":{:.4g},\"communication_ms_per_step\":{:.4g},"
                    "\"communication_hidden\":{:.4g},\"digest\":\"{}\"}}\n",
                    s.first_step, s.steps, s.seconds, ms, s.samples_per_second, s.last_loss,
                    bus_bandwidth(s), done > 0 ? s.communication.busy_seconds / done * 1e3 : 0,
                    hidden_share(s.communication), s.digest));
    return;
  }
  print(
      fmt::format("done   {:.0f} steps in {:.1f} s · {:.2f} ms/step · {} samples/s · loss {:.4f} "
                  "→ {:.4f}\n",
                  done, s.seconds, ms, grouped(s.samples_per_second), s.first_loss, s.last_loss));
  if (s.world_size > 1) {
    print(
        fmt::format("comm   all-reduce {:.2f} ms/step · bus {:.2f} GB/s · {:.0f} % hidden behind "
                    "the backward pass\n",
                    done > 0 ? s.communication.busy_seconds / done * 1e3 : 0, bus_bandwidth(s),
                    hidden_share(s.communication) * 100));
  }
  print(fmt::format("digest {}\n", s.digest));
}

void Report::generated(std::string_view text) {
  if (style_ == Style::silent) return;
  if (style_ == Style::json) {
    print("{\"event\":\"generated\",\"text\":" + json_string(text) + "}\n");
    return;
  }
  print("text   " + std::string(text) + "\n");
}

void Report::note(std::string_view text) {
  if (style_ == Style::silent) return;
  if (style_ == Style::json) {
    print("{\"event\":\"note\",\"text\":" + json_string(text) + "}\n");
    return;
  }
  print("note   " + std::string(text) + "\n");
}

}  // namespace ddp::worker
