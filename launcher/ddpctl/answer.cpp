#include "launcher/ddpctl/answer.hpp"

#include "common/utf8.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace ddp::ctl {

namespace json = boost::json;

class Answer::Impl {
 public:
  explicit Impl(json::object from) : object(std::move(from)) {}
  json::object object;
};

namespace {

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

}  // namespace

Result<Answer> Answer::parse(std::string_view line) {
  json::error_code failed;
  auto value = json::parse(json::string_view(line.data(), line.size()), failed);
  auto* object = failed ? nullptr : value.if_object();
  if (object == nullptr) return Error{"ddp-launch sent an answer that is no JSON object"};
  return Answer(std::make_shared<const Impl>(std::move(*object)));
}

bool Answer::has(const char* name) const { return impl_->object.if_contains(name) != nullptr; }

std::string Answer::raw_text(const char* name) const {
  const auto* value = impl_->object.if_contains(name);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(view(*text)) : std::string();
}

std::string Answer::text(const char* name) const { return without_controls(raw_text(name)); }

std::optional<std::int64_t> Answer::number(const char* name) const {
  const auto* value = impl_->object.if_contains(name);
  const auto* number = value != nullptr ? value->if_int64() : nullptr;
  return number != nullptr ? std::optional(*number) : std::nullopt;
}

std::optional<double> Answer::real(const char* name) const {
  const auto* value = impl_->object.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

bool Answer::flag(const char* name) const {
  const auto* value = impl_->object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::vector<std::string> Answer::texts(const char* name) const {
  std::vector<std::string> found;
  const auto* value = impl_->object.if_contains(name);
  if (const auto* list = value != nullptr ? value->if_array() : nullptr) {
    for (const auto& one : *list) {
      if (const auto* text = one.if_string()) found.push_back(without_controls(view(*text)));
    }
  }
  return found;
}

std::vector<Answer> Answer::objects(const char* name) const {
  std::vector<Answer> found;
  const auto* value = impl_->object.if_contains(name);
  if (const auto* list = value != nullptr ? value->if_array() : nullptr) {
    for (const auto& one : *list) {
      if (const auto* object = one.if_object())
        found.push_back(Answer(std::make_shared<const Impl>(*object)));
    }
  }
  return found;
}

}  // namespace ddp::ctl
