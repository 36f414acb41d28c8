#include "launcher/metrics/metrics.hpp"

#include "launcher/base/log.hpp"
#include "launcher/base/write_file.hpp"

#include <chrono>
#include <utility>

namespace ddp::metrics {
namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr int kShare = 20;  // at most this part of the time goes into making the text
constexpr mode_t kReadable = 0644;

}  // namespace

Metrics::Metrics(boost::asio::io_context& io, os::Loop& loop, Options options, RunFacts facts,
                 RestartLimit limit, Sources sources)
    : loop_(loop),
      options_(std::move(options)),
      facts_(std::move(facts)),
      sources_(std::move(sources)),
      counts_(facts_.ranks, limit),
      began_(std::chrono::system_clock::now()) {
  if (options_.endpoint)
    server_ = std::make_unique<HttpServer>(io, loop, [this] { return text(); });
  if (!options_.file.empty()) timer_ = loop.make_timer();
}

Result<std::string> Metrics::open() {
  return server_ ? server_->open(*options_.endpoint) : Result<std::string>(std::string());
}

void Metrics::on(const core::Event& event, core::TimePoint now) {
  core::dispatch(counts_, event, now);
  core::dispatch(*this, event, now);
  if (sources_.progress().version() != version_) changed(now);
}

void Metrics::on(const core::Action& action, core::TimePoint now) {
  core::dispatch(counts_, action, now);
  core::dispatch(*this, action, now);
  if (sources_.progress().version() != version_) changed(now);
}

void Metrics::apply(const core::StartRequested&, core::TimePoint now) {
  began_ = std::chrono::system_clock::now();
  written_ = now;
}

void Metrics::apply(const core::FaultInjected&, core::TimePoint now) { changed(now); }

void Metrics::apply(const core::GenerationOver&, core::TimePoint) {
  if (const auto* failure = sources_.record().last_failure()) counts_.failed(*failure);
}

void Metrics::apply(const core::Finish&, core::TimePoint now) {
  end_ = RunEnd{sources_.exit_code(), std::chrono::system_clock::now()};
  if (timer_) write(now);
}

std::shared_ptr<const std::string> Metrics::text() {
  const auto now = loop_.now();
  if (text_ && now < text_until_) return text_;
  text_ = std::make_shared<const std::string>(make_text());
  const auto made = loop_.now();
  text_until_ = made + kShare * (made - now);
  return text_;
}

std::string Metrics::make_text() const {
  return exposition({.facts = facts_,
                     .progress = sources_.progress(),
                     .counts = counts_,
                     .goodput = sources_.goodput(),
                     .began = began_,
                     .now = loop_.now(),
                     .end = end_});
}

void Metrics::changed(core::TimePoint now) {
  if (!timer_ || due_ || end_) return;
  due_ = true;
  timer_->at(std::max(now, written_ + kInterval), [this] { write(loop_.now()); });
}

void Metrics::write(core::TimePoint now) {
  timer_->cancel();
  due_ = false;
  written_ = now;
  version_ = sources_.progress().version();
  const auto why = write_whole_file(options_.file, make_text(), kReadable);
  if (why.empty() || std::exchange(failed_, true)) return;
  log::write(log::Level::warn, "--metrics-file: " + why + "; it is not up to date");
}

}  // namespace ddp::metrics
