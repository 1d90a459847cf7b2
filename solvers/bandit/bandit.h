/// \file
/// A learner with the record of its arms, and its state as text.
#pragma once
#include "solvers/bandit/learner.h"

namespace krylearn {
namespace bandit {

class Bandit {
public:
  struct Record {
    long count = 0;
    double total = 0; ///< of losses
    double Mean() const { return count > 0 ? total / double(count) : 0; }
  };

  /// `arms` describes all arms; a state belongs to one description. Throws as MakeLearner() does.
  Bandit(const PolicySpec &spec, const std::string &arms);

  int Choose(double context);
  /// What the last choice cost. Losses that are not positive and finite are left out.
  void Observe(double loss);
  int Chosen() const { return chosen_; }
  const std::vector<Record> &Records() const { return records_; }
  std::vector<double> Probabilities(double context) { return learner_->Probabilities(context); }

  /// A few lines of text that SetState() takes back, on any machine, bit for bit.
  std::string State();
  /// std::runtime_error where the text is damaged, of another version, or of another policy or set of arms; the bandit
  /// is then as it was.
  void SetState(const std::string &text);

private:
  std::vector<double> Numbers();

  PolicySpec spec_;
  std::string description_;
  std::unique_ptr<Learner> learner_;
  std::vector<Record> records_;
  int chosen_ = 0;
};

} // namespace bandit
} // namespace krylearn
