/// \file
/// Bandits: learners that choose one of several arms again and again and see what the chosen one cost.
///
/// Free of PETSc. The same seed and the same losses give the same choices, so ranks that see the same losses agree.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace krylearn {
namespace bandit {

/// Reads or writes the state of a learner as numbers, in one order for both.
class Archive {
public:
  /// For writing.
  Archive() = default;
  /// For reading.
  explicit Archive(std::vector<double> numbers) : numbers_(std::move(numbers)), reading_(true) {}
  void operator()(double *x);
  void operator()(long *x); ///< below 2^53
  void operator()(std::vector<double> *x);
  const std::vector<double> &Numbers() const { return numbers_; }
  /// All has been read, and not more than there was.
  bool Complete() const { return !failed_ && place_ == numbers_.size(); }

private:
  std::vector<double> numbers_;
  std::size_t place_ = 0;
  bool reading_ = false, failed_ = false;
};

struct Choice {
  int arm = 0;
  double probability = 1; ///< that it was going to be chosen
};

class Learner {
public:
  virtual ~Learner() = default;
  /// Draws an arm for a problem that `context` describes; learners without contexts ignore it.
  virtual Choice Choose(double context) = 0;
  /// What the last choice cost: positive, any unit.
  virtual void Observe(int arm, double loss) = 0;
  /// The chance of each arm, were Choose() called now.
  virtual std::vector<double> Probabilities(double context) = 0;
  virtual void Exchange(Archive *archive) = 0;
  /// From now on only these arms are chosen, at least one. False from learners that cannot do so.
  virtual bool Restrict(const std::vector<char> & /*allowed*/) { return false; }
};

/// What a policy is made for.
struct PolicySpec {
  std::string name = "tsallis";
  int arms = 1;
  std::uint64_t seed = 1;
  std::vector<double> positions;            ///< of the arms on a line, upwards; policies that interpolate need it
  double context_low = 0, context_high = 0; ///< equal: unknown
  long bins = 6;                            ///< of contexts, where a policy splits them
  int fixed_arm = 0;
};

struct Policy {
  const char *name, *summary;
  bool contextual; ///< needs the range of contexts
  std::unique_ptr<Learner> (*make)(const PolicySpec &spec);
};

const std::vector<Policy> &Policies();
/// std::invalid_argument names the policy and those there are, or says what the policy misses.
std::unique_ptr<Learner> MakeLearner(const PolicySpec &spec);

// One file each:
Policy Fixed();
Policy Tsallis();
Policy ReducedVarianceTsallis();
Policy BinnedTsallis();
Policy ChebCB();
Policy Thompson();
Policy Surface();

/// The arm that a uniform number in [0,1) falls to.
int Draw(const std::vector<double> &probabilities, double uniform);

} // namespace bandit
} // namespace krylearn
