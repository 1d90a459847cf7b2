#include "solvers/bandit/bandit.h"
#include "solvers/bandit/state.h"
#include <cmath>
#include <cstdio>

namespace krylearn {
namespace bandit {
namespace {

std::string Text(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

std::string Describe(const PolicySpec &spec, const std::string &arms) {
  std::string text = "policy " + spec.name + ", seed " + std::to_string(spec.seed);
  if (spec.context_low < spec.context_high)
    text += ", contexts " + Text(spec.context_low) + " to " + Text(spec.context_high) + " in " +
            std::to_string(spec.bins) + " bins";
  return text + "; arms " + arms;
}

void ExchangeRecords(Archive *archive, std::vector<Bandit::Record> *records) {
  for (Bandit::Record &r : *records) {
    (*archive)(&r.count);
    (*archive)(&r.total);
  }
}

} // namespace

Bandit::Bandit(const PolicySpec &spec, const std::string &arms)
    : spec_(spec), description_(Describe(spec, arms)), learner_(MakeLearner(spec)), records_(std::size_t(spec.arms)) {}

int Bandit::Choose(double context) {
  chosen_ = learner_->Choose(context).arm;
  return chosen_;
}

void Bandit::Observe(double loss) {
  if (!(loss > 0) || !std::isfinite(loss)) return;
  learner_->Observe(chosen_, loss);
  Record &r = records_[std::size_t(chosen_)];
  ++r.count;
  r.total += loss;
}

std::vector<double> Bandit::Numbers() {
  Archive archive;
  ExchangeRecords(&archive, &records_);
  learner_->Exchange(&archive);
  return archive.Numbers();
}

std::string Bandit::State() { return WriteState(description_, Numbers()); }

void Bandit::SetState(const std::string &text) {
  Archive archive(ReadState(text, description_, Numbers().size()));
  ExchangeRecords(&archive, &records_);
  learner_->Exchange(&archive);
}

} // namespace bandit
} // namespace krylearn
