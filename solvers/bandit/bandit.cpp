#include "solvers/bandit/bandit.h"
#include "meshes/checksum.h"
#include <cmath>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace krylearn {
namespace bandit {
namespace {

const char kHead[] = "krylearn bandit, format ";
const char kFormat[] = "1";

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

std::string Bandit::State() {
  std::string text = std::string(kHead) + kFormat + "\n" + description_ + "\n";
  for (const double x : Numbers()) text += Text(x) + "\n";
  char sum[20];
  std::snprintf(sum, sizeof sum, "%08lx", static_cast<unsigned long>(Crc32(text.data(), text.size())));
  return text + "checksum " + sum + "\n";
}

void Bandit::SetState(const std::string &text) {
  const auto fail = [](const std::string &why) { throw std::runtime_error(why); };
  std::istringstream lines(text);
  std::string head, description;
  std::getline(lines, head);
  if (head.compare(0, sizeof kHead - 1, kHead) != 0) fail("it is no state of a bandit");
  if (head != std::string(kHead) + kFormat)
    fail("it has format " + head.substr(sizeof kHead - 1) + ", expected " + kFormat);
  const std::size_t end = text.rfind("checksum ");
  char sum[20] = "";
  if (end != std::string::npos)
    std::snprintf(sum, sizeof sum, "%08lx", static_cast<unsigned long>(Crc32(text.data(), end)));
  if (end == std::string::npos || text.substr(end) != std::string("checksum ") + sum + "\n")
    fail("it is cut off or damaged");
  std::getline(lines, description);
  if (description != description_) fail("it belongs to: " + description + "; expected: " + description_);
  std::vector<double> numbers;
  for (std::string line; std::getline(lines, line) && line.compare(0, 8, "checksum") != 0;)
    numbers.push_back(std::stod(line));
  if (numbers.size() != Numbers().size()) fail("it holds another number of values than expected");
  Archive archive(numbers);
  ExchangeRecords(&archive, &records_);
  learner_->Exchange(&archive);
}

} // namespace bandit
} // namespace krylearn
