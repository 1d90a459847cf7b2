#include "nets/training/held_out.h"
#include "meshes/random.h"
#include "nets/training/conjugate.h"
#include <algorithm>
#include <cstdio>

namespace krylearn {
namespace nets {
namespace {

constexpr std::uint64_t kRightSide = 203; ///< stream of random numbers
constexpr long kMostIterations = 200;
constexpr double kTolerance = 1e-6;

ConjugateResult Solve(const Net &net, const Geometry &geometry, long number) {
  const GridOperator op = MakeOperator(geometry, at::kDouble);
  const auto prepared = net.Prepare(op.To(at::kFloat));
  const Index &n = op.partition.n;
  at::Tensor b = at::empty({1, n[2], n[1], n[0]}, at::kDouble);
  for (std::int64_t i = 0; i < b.numel(); ++i)
    b.data_ptr<double>()[i] = 2 * Uniform(std::uint64_t(number), kRightSide, std::uint64_t(i)) - 1;
  b = b * (op.scale > 0);
  return SolveConjugate(op, *prepared, at::kFloat, b, kTolerance, kMostIterations);
}

} // namespace

HeldOut::HeldOut(MPI_Comm comm, const TrainingSpec &spec) : comm_(comm), each_(spec.validation_geometries) {
  for (const std::string &family : spec.families)
    for (const Index &n : spec.grids) rows_.push_back({family, n, 0, 0});
}

void HeldOut::Make(const GeometrySource &source) {
  int rank, size;
  MPI_Comm_rank(comm_, &rank);
  MPI_Comm_size(comm_, &size);
  long number = 0;
  for (const auto &row : rows_)
    for (long i = 0; i < each_; ++i, ++number)
      if (number % size == rank) mine_.push_back({number, source({row.family, row.n, kFirstValidationSeed + i, i})});
}

HeldOut::Score HeldOut::Measure(const Net &net) const {
  at::NoGradGuard no_gradients;
  std::vector<double> iterations(rows_.size() * std::size_t(each_) + 1, 0); // and directions that were replaced
  for (const auto &item : mine_) {
    const ConjugateResult result = Solve(net, item.second, item.first);
    iterations[std::size_t(item.first)] = double(result.iterations[0]);
    iterations.back() += double(result.replaced);
  }
  MPI_Allreduce(MPI_IN_PLACE, iterations.data(), int(iterations.size()), MPI_DOUBLE, MPI_SUM, comm_);
  Score score;
  score.sound = iterations.back() == 0;
  iterations.pop_back();
  score.rows = rows_;
  for (const double its : iterations) score.mean += its / double(iterations.size());
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    const auto begin = iterations.begin() + std::ptrdiff_t(r) * each_;
    std::sort(begin, begin + each_);
    score.rows[r].median = *(begin + each_ / 2);
    score.rows[r].worst = *(begin + each_ - 1);
  }
  std::sort(iterations.begin(), iterations.end());
  score.median = iterations[iterations.size() / 2];
  score.worst = iterations.back();
  return score;
}

std::string Describe(const std::vector<TrainingReport::Row> &rows) {
  std::string text;
  for (const auto &row : rows) {
    char figures[64];
    std::snprintf(figures, sizeof figures, " %ld: median %g, worst %g", row.n[0], row.median, row.worst);
    text += (text.empty() ? "" : "; ") + row.family + figures;
  }
  return text;
}

} // namespace nets
} // namespace krylearn
