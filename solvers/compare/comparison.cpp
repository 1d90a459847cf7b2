#include "solvers/compare/comparison.h"
#include "solvers/pc/neural.h"
#include <algorithm>
#include <map>
#include <tuple>

namespace krylearn {
namespace {

/// At most so many points of a residual history are kept: what a plot can show.
constexpr std::size_t kHistoryPoints = 60;

template <class A, class B> bool SameCase(const A &a, const B &b) {
  return a.workload == b.workload && a.grid == b.grid && a.ranks == b.ranks && a.configuration == b.configuration;
}

} // namespace

PetscErrorCode Comparison::Prepare() {
  PetscFunctionBeginUser;
  PetscCall(InsertOptions(comm_, configurations_));
  PetscCall(LogObserver::Install());
  PetscFunctionReturn(0);
}

PetscErrorCode Comparison::Run(Workload *workload) {
  PetscFunctionBeginUser;
  const PetscInt count = PetscInt(configurations_.size());
  if (starts_ == 0) {
    const auto with_network = std::find_if(configurations_.begin(), configurations_.end(), [](const Configuration &c) {
      return c.options.find(PCNEURAL) != std::string::npos;
    });
    Visit ignored;
    PetscCall(RunVisit(comm_, configurations_[0], rules_, workload, &observer_, &ignored));
    if (with_network != configurations_.begin() && with_network != configurations_.end()) // LibTorch is loaded once
      PetscCall(RunVisit(comm_, *with_network, rules_, workload, &observer_, &ignored));
  }
  for (PetscInt round = 0; round < rounds_; ++round, ++starts_) {
    for (PetscInt i = 0; i < count; ++i) {
      const Configuration &configuration = configurations_[std::size_t((i + starts_) % count)];
      Visit visit;
      PetscCall(RunVisit(comm_, configuration, rules_, workload, &observer_, &visit));
      PetscCall(Keep(*workload, configuration, round, visit));
      if (on_visit) PetscCall(on_visit(records_.visits.back()));
    }
    if (on_round) PetscCall(on_round());
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Comparison::Keep(const Workload &workload, const Configuration &configuration, PetscInt round,
                                const Visit &visit) {
  PetscFunctionBeginUser;
  VisitRow v;
  PetscInt unknowns;
  PetscCall(MatGetSize(workload.system.A, &unknowns, nullptr));
  PetscCallMPI(MPI_Comm_size(comm_, &v.ranks));
  v.workload = workload.name;
  v.grid = workload.grid;
  v.sequence = workload.sequence;
  v.unknowns = double(unknowns);
  v.rtol = workload.AbsoluteTolerance(0) > 0 ? 0 : rules_.rtol;
  v.seed = workload.seed;
  v.repeat = round;
  v.configuration = configuration.name;
  v.candidate = configuration.candidate;
  PetscCall(EffectiveOptions(configuration, &v.options));
  v.solver = visit.solver;
  v.status = OutcomeName(visit.outcome);
  v.message = visit.message;
  if (!visit.unread.empty()) v.message += (v.message.empty() ? "never read: " : "; never read: ") + visit.unread;
  v.steps = PetscInt(visit.solves.size());
  v.steps_wanted = workload.Steps();
  if (v.steps > 0) {
    v.iterations = visit.Iterations();
    v.setup_seconds = visit.SetupSeconds();
    v.first_seconds = v.sequence ? visit.SolveSeconds() : visit.FirstSolveSeconds();
    v.solve_seconds = v.sequence ? visit.SolveSeconds() : visit.LaterSolveSeconds();
    v.true_residual = visit.WorstResidual();
  }
  v.structured_seconds = visit.structured_seconds;
  v.peak_mb = visit.peak_megabytes > 0 ? visit.peak_megabytes : NAN;
  v.gflop = visit.flops / 1e9;

  const bool history_kept = std::any_of(records_.history.begin(), records_.history.end(),
                                        [&](const HistoryRow &h) { return SameCase(h, v); });
  if (!history_kept) {
    const std::size_t points = visit.history.size(), stride = (points + kHistoryPoints - 1) / kHistoryPoints;
    for (std::size_t i = 0; i < points; ++i)
      if (i % stride == 0 || i + 1 == points)
        records_.history.push_back({v.workload, v.grid, v.configuration, v.ranks, v.seed, visit.history[i]});
  }
  if (v.sequence)
    for (PetscInt s = 0; s < v.steps; ++s)
      records_.steps.push_back({v.workload, v.grid, v.configuration, v.ranks, round, s, visit.solves[std::size_t(s)]});
  for (const EventCost &cost : visit.events)
    records_.events.push_back({v.workload, v.grid, v.configuration, v.ranks, cost});
  records_.visits.push_back(v);
  PetscFunctionReturn(0);
}

Records Comparison::Result() const {
  Records result = records_;
  result.events.clear();
  using Key = std::tuple<std::string, std::string, std::string, int, std::string, std::string>;
  std::map<Key, std::size_t> place;
  for (const EventRow &e : records_.events) {
    const Key key{e.workload, e.grid, e.configuration, int(e.cost.phase), e.cost.event, e.cost.category};
    const auto found = place.find(key);
    if (found == place.end()) {
      place[key] = result.events.size();
      result.events.push_back(e);
      continue;
    }
    EventCost &sum = result.events[found->second].cost;
    sum.count += e.cost.count;
    sum.seconds += e.cost.seconds;
    sum.own_seconds += e.cost.own_seconds;
    sum.flops += e.cost.flops;
    sum.messages += e.cost.messages;
    sum.bytes += e.cost.bytes;
    sum.reductions += e.cost.reductions;
  }
  for (EventRow &e : result.events) {
    const double visits = double(std::count_if(records_.visits.begin(), records_.visits.end(),
                                               [&](const VisitRow &v) { return SameCase(v, e); }));
    for (double *value : {&e.cost.count, &e.cost.seconds, &e.cost.own_seconds, &e.cost.flops, &e.cost.messages,
                          &e.cost.bytes, &e.cost.reductions})
      *value /= visits;
  }
  return result;
}

} // namespace krylearn
