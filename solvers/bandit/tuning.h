/// \file
/// Choosing among solver configurations by what they cost, set-ups and failures included. Free of PETSc.
#pragma once
#include "solvers/bandit/learner.h"

namespace krylearn {
namespace bandit {

/// A learner over whole configurations. Costs are positive, in any one unit.
///
/// Trying an arm costs a set-up, which may be worth a hundred solves, so arms wait until a trial is expected to pay: an
/// untried arm's cost is taken as log-normal around those of the arms tried so far, and as many solves are expected to
/// come as there have been (expected improvement; Jones, Schonlau & Welch, J. Global Optim. 1998).
class Tuning {
public:
  /// kUnsolved: the safe arm could not finish either, so the system is to blame.
  enum class Outcome { kSolved, kStopped, kFailed, kUnsolved };
  struct Arm {
    long solves = 0, solved = 0, stopped = 0, setups = 0;
    long failures = 0; ///< one after the other
    double recent = 0; ///< running mean of a solve's cost without set-up
    double setup = 0;  ///< cost of the last set-up
    double total = 0;  ///< of all solves and set-ups
    bool dropped = false;
  };

  /// `arms` describes all configurations; a state belongs to one description. `safe`: the arm that is never dropped and
  /// finishes what others leave. `limit`: see Limit(). Throws as MakeLearner() does.
  Tuning(const PolicySpec &spec, const std::string &arms, int safe, double limit);

  /// The arm for the next solve; `new_matrix`: that has not been solved with before. The safe arm comes first, so that
  /// there is something to compare with; others when a trial is expected to pay, in their order. A trial is two solves,
  /// of which the cheaper one counts, because the first may pay for memory or be a hard one.
  int Choose(bool new_matrix);
  /// What the solve may cost before it is stopped: so much that with its share of the set-up the arm reaches `limit`
  /// times the cheapest one's cost, or the safe one's for the cheapest itself. Infinite for the safe arm.
  double Limit(int arm) const;
  void SetUp(int arm, double cost);
  /// What the solve cost that was begun with `arm`, whoever finished it. Dropped is an arm that fails before it has
  /// solved anything, or kPatience times in a row, and one that has been stopped kPatience times and never finished.
  void Observe(int arm, double cost, Outcome outcome);

  /// Solves that share a set-up: the mean over matrices seen, or as many as the present one has had. Before a second
  /// matrix shows what is usual, no fewer than kPresumedReuse.
  double Reuse() const;
  /// A solve's cost with its share of the set-up; 0 for arms that have not solved anything.
  double Cost(int arm) const;
  /// The arm of least Cost(), or −1.
  int Cheapest() const;
  const std::vector<Arm> &Arms() const { return arms_; }
  std::vector<double> Probabilities() const { return learner_->Probabilities(0); }
  long Solves() const { return solves_; }
  /// Of all solves and set-ups.
  double Total() const;
  int Safe() const { return safe_; }

  std::string State();
  /// std::runtime_error where the text does not belong here; nothing has changed then.
  void SetState(const std::string &text);

  static constexpr long kPatience = 3;
  static constexpr double kPresumedReuse = 100;

private:
  void Exchange(Archive *archive);
  bool TrialPays() const;

  std::string description_;
  std::unique_ptr<Learner> learner_;
  std::vector<Arm> arms_;
  int safe_;
  double limit_;
  long solves_ = 0, stretch_ = 0;       ///< of the present matrix
  long matrices_ = 0, past_solves_ = 0; ///< of matrices before it
};

} // namespace bandit
} // namespace krylearn
