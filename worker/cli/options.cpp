#include "worker/cli/options.hpp"

#include "common/parse.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <ostream>
#include <sstream>
#include <string>

namespace ddp::worker {
namespace {

using std::chrono::milliseconds;

CLI::Validator at_least(std::int64_t low) {
  return CLI::Range(low, std::int64_t{std::numeric_limits<int>::max()});
}

// CLI11's own range check accepts nan.
CLI::Validator number(double low, double high) {
  std::ostringstream range;
  range << low << " to " << high;
  return CLI::Validator(
      [low, high, expected = range.str()](const std::string& text) {
        double value = 0;
        const bool read = CLI::detail::lexical_cast(text, value) && value >= low && value <= high;
        return read ? std::string() : "'" + text + "': expected " + expected;
      },
      "FLOAT in [" + range.str() + "]");
}

// Reads "30", "1.5s" or "10m" into milliseconds.
void add_duration(CLI::App& app, const char* flag, milliseconds& into, const char* what) {
  app.add_option_function<std::string>(
         flag,
         [flag, &into](const std::string& text) {
           const auto value = parse_duration(flag, text);
           if (!value) throw CLI::ValidationError(value.error());
           into = std::chrono::duration_cast<milliseconds>(*value);
           if (into < milliseconds(1) || into > std::chrono::hours(24 * 7)) {
             throw CLI::ValidationError(std::string(flag) + " is '" + text +
                                        "': expected 1ms to 168h");
           }
         },
         what)
      ->type_name("TIME")
      ->default_str(std::to_string(into.count() / 1000) + "s");
}

void describe(CLI::App& app, Options& o) {
  app.add_option("--data", o.data, "Files to train on")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("FILE...");

  const auto model = "Model";
  app.add_option("--context", o.model.context, "Context length in bytes")
      ->check(CLI::Range(1, 4096))
      ->group(model);
  app.add_option("--embed", o.model.embed, "Width of a byte's embedding")
      ->check(CLI::Range(1, 65536))
      ->group(model);
  app.add_option("--hidden", o.model.hidden, "Width of a hidden layer")
      ->check(CLI::Range(1, 65536))
      ->group(model);
  app.add_option("--layers", o.model.layers, "Number of hidden layers")
      ->check(CLI::Range(1, 1000))
      ->group(model);

  const auto training = "Training";
  app.add_option("--steps", o.steps, "Total number of steps")->check(at_least(1))->group(training);
  app.add_option("--batch", o.batch, "Global batch size: samples a step over all ranks")
      ->check(CLI::Range(1, 1 << 24))
      ->group(training);
  app.add_option("--accumulate", o.accumulate,
                 "Compute a rank's share of the batch in this many parts")
      ->check(CLI::Range(1, 1 << 16))
      ->group(training);
  app.add_option("--lr", o.learning_rate, "Learning rate of AdamW")
      ->check(number(0, 1000))
      ->group(training);
  app.add_option("--warmup", o.warmup, "Steps over which the learning rate rises to its value")
      ->check(at_least(0))
      ->group(training);
  app.add_option("--weight-decay", o.weight_decay, "AdamW's decay of the weight matrices")
      ->check(number(0, 1000))
      ->group(training);
  app.add_option("--grad-clip", o.grad_clip, "Limit for the norm of the gradient; 0: none")
      ->check(number(0, 1e9))
      ->group(training);
  app.add_option("--seed", o.seed, "Seed for initial weights, sample order and generated text")
      ->check([](const std::string& text) {  // CLI11 itself accepts what is too large
        std::uint64_t seed = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, failed] = std::from_chars(text.data(), end, seed);
        return failed == std::errc() && stop == end
                   ? std::string()
                   : "'" + text + "': expected 0 to 18446744073709551615";
      })
      ->group(training);
  app.add_option("--held-out", o.held_out,
                 "Fraction of each file, from the end, that is kept for validation")
      ->check(number(0, 0.5))
      ->group(training);

  const auto checkpoints = "Checkpoints";
  app.add_option("--checkpoint-dir", o.checkpoint_dir,
                 "Directory for checkpoints; resumes from the newest one in it")
      ->check([](const std::string& text) {
        return text.empty() ? std::string("'': expected a directory") : std::string();
      })
      ->type_name("DIR")
      ->group(checkpoints);
  app.add_option("--checkpoint-every", o.checkpoint_every,
                 "Steps between checkpoints; 0: only at the end")
      ->check(at_least(0))
      ->group(checkpoints);
  app.add_option("--keep", o.keep, "Number of newest checkpoints to keep")
      ->check(CLI::Range(1, 1 << 20))
      ->group(checkpoints);

  const auto output = "Output";
  app.add_option("--log-every", o.log_every, "Steps between lines of output")
      ->check(at_least(1))
      ->group(output);
  app.add_option("--eval-every", o.eval_every, "Steps between validations; 0: only at the end")
      ->check(at_least(0))
      ->group(output);
  app.add_flag("--json", o.json, "Print metrics as JSON, one object a line")->group(output);
  app.add_option("--generate", o.generate, "Bytes of text to generate from the trained model")
      ->check(CLI::Range(0, 1 << 20))
      ->group(output);
  app.add_option("--temperature", o.temperature, "Sampling temperature of the generated text")
      ->check(number(0.01, 100))
      ->group(output);

  const auto group = "Group";
  const std::map<std::string, Backend> backends{
      {"auto", Backend::automatic}, {"nccl", Backend::nccl}, {"gloo", Backend::gloo}};
  app.add_option("--backend", o.backend, "auto, nccl (GPU) or gloo (CPU)")
      ->transform(CLI::Transformer(backends, CLI::ignore_case))
      ->type_name("NAME")
      ->default_str("auto")
      ->group(group);
  const std::map<std::string, DataType> types{{"fp32", DataType::fp32}, {"bf16", DataType::bf16}};
  app.add_option("--dtype", o.type, "Type of matrix products: fp32, or bf16 on a GPU")
      ->transform(CLI::Transformer(types, CLI::ignore_case))
      ->type_name("NAME")
      ->default_str("fp32")
      ->group(group);
  app.add_flag("!--no-overlap", o.overlap,
               "Reduce gradients after the backward pass, not during it")
      ->group(group);
  add_duration(app, "--join-timeout", o.join_timeout, "Time limit for all ranks to join");
  add_duration(app, "--comm-timeout", o.comm_timeout, "Time limit for one collective");
  app.get_option("--join-timeout")->group(group);
  app.get_option("--comm-timeout")->group(group);
}

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv, std::ostream& out,
                            std::ostream& err) {
  ParsedOptions parsed;
  CLI::App app(
      "Trains a byte-level language model with data parallelism. Under ddp-launch (or torchrun) it "
      "is\n"
      "one rank of a group; started alone, it is the only rank.",
      "worker");
  // The last of a repeated flag counts, so that the defaults of a script can be overridden.
  app.option_defaults()->always_capture_default()->multi_option_policy(
      CLI::MultiOptionPolicy::TakeLast);
  app.get_formatter()->column_width(34);
  app.set_version_flag("--version", "worker " DDP_VERSION);
  app.footer(
      "Examples:\n"
      "  worker --data README.md\n"
      "  ddp-launch --nproc 4 -- ./worker --data README.md --steps 500 --generate 300\n"
      "  ddp-launch --nproc 4 --max-restarts 3 -- ./worker --data README.md --checkpoint-dir ckpt\n"
      "\n"
      "On SIGTERM or SIGINT it finishes the step, writes a checkpoint (with --checkpoint-dir) and\n"
      "exits with code 0.\n"
      "Exit codes: 0 trained, or stopped on request; 1 failed (see stderr); 2 usage error.");
  describe(app, parsed.options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      parsed.exit_code = app.exit(error, out, err);
    } else {
      err << "worker: " << error.what() << " (see worker --help)\n";
      parsed.exit_code = 2;
    }
  }
  return parsed;
}

}  // namespace ddp::worker
