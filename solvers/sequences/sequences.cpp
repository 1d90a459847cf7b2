// The two experiments of Khodak et al., ICLR 2024: heat that diffuses at a rate that changes, and shifted Laplacians.
#include "meshes/random.h"
#include "solvers/sequences/sequence.h"
#include <cmath>
#include <petscdmda.h>

namespace krylearn {
namespace {

constexpr double kPi = 3.14159265358979323846;

/// Calls f(x, y, natural index, value) for the owned unknowns of a vector.
template <class F> PetscErrorCode ForUnknowns(DM dm, PetscInt nx, Vec v, F &&f) {
  PetscScalar **values;
  PetscInt x0, y0, mx, my;
  PetscFunctionBeginUser;
  PetscCall(DMDAVecGetArray(dm, v, &values));
  PetscCall(DMDAGetCorners(dm, &x0, &y0, nullptr, &mx, &my, nullptr));
  for (PetscInt j = y0; j < y0 + my; ++j)
    for (PetscInt i = x0; i < x0 + mx; ++i)
      f(double(i + 1) / double(nx), double(j + 1) / double(nx), i + (nx - 1) * j, &values[j][i]);
  PetscCall(DMDAVecRestoreArray(dm, v, &values));
  PetscFunctionReturn(0);
}

/// A smooth hill around (cx, cy), 0 from `radius` on.
double Bump(double x, double y, double cx, double cy, double radius) {
  const double r = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (radius * radius);
  return r < 1 ? std::exp(1 - 1 / (1 - r)) : 0;
}

/// Crank–Nicolson steps of u' = κ(t) Δu + f(t) on the unit square, u = 0 on its boundary, a source going round; κ
/// swings between next to nothing and 10, and is the context.
class Heat : public Sequence {
public:
  explicit Heat(PetscInt nx) : nx_(nx) {
    context_low = 0, context_high = 10;
    bins = 6;
  }

  PetscErrorCode SetUp(MPI_Comm comm) {
    PetscFunctionBeginUser;
    PetscCall(MakeLaplacian(comm, nx_, double(nx_) * double(nx_), &L_));
    PetscCall(MatDuplicate(L_, MAT_COPY_VALUES, &A));
    PetscCall(MatCreateVecs(L_, &x, &b));
    PetscCall(VecDuplicate(x, &work_));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Rewind() override {
    DM dm;
    PetscFunctionBeginUser;
    PetscCall(MatGetDM(L_, &dm));
    PetscCall(ForUnknowns(dm, nx_, x,
                          [](double px, double py, PetscInt, PetscScalar *u) { *u = Bump(px, py, 0.5, 0.5, 0.25); }));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Make(PetscInt step) override {
    DM dm;
    PetscFunctionBeginUser;
    const double t = kStep * (double(step) + 0.5), s = std::sin(2 * kPi * t);
    context = std::max(0.1 * s, -10 * s);
    const double half = kStep / 2 * context;
    PetscCall(MatCopy(L_, A, SAME_NONZERO_PATTERN));
    PetscCall(MatScale(A, half));
    PetscCall(MatShift(A, 1));
    PetscCall(MatMult(L_, x, work_));
    PetscCall(VecWAXPY(b, -half, work_, x));
    PetscCall(MatGetDM(L_, &dm));
    const double cx = 0.5 + std::cos(16 * kPi * t) / 4, cy = 0.5 + std::sin(16 * kPi * t) / 4;
    PetscCall(ForUnknowns(dm, nx_, b, [=](double px, double py, PetscInt, PetscScalar *u) {
      *u += kStep * 32 * Bump(px, py, cx, cy, 0.125);
    }));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Destroy() override {
    PetscFunctionBeginUser;
    PetscCall(MatDestroy(&L_));
    PetscCall(VecDestroy(&work_));
    PetscCall(Sequence::Destroy());
    PetscFunctionReturn(0);
  }

private:
  static constexpr double kStep = 1e-3; ///< time
  PetscInt nx_;
  Mat L_ = nullptr;
  Vec work_ = nullptr;
};

/// A + c I, A the 5-point Laplacian with 4 on its diagonal and c = −0.15 + 0.6 Beta(α, β); right-hand sides are normal
/// numbers, drawn again where their norm exceeds that of ones.
class Shifted : public Sequence {
public:
  explicit Shifted(const SequenceSpec &spec, PetscInt nx) : spec_(spec), nx_(nx) {
    context_low = -0.15, context_high = 0.65;
    bins = 5;
    symmetric = false;
  }

  PetscErrorCode SetUp(MPI_Comm comm) {
    PetscFunctionBeginUser;
    PetscCall(MakeLaplacian(comm, nx_, 1, &A));
    PetscCall(MatCreateVecs(A, &x, &b));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Rewind() override {
    PetscFunctionBeginUser;
    PetscCall(MatShift(A, -context));
    context = 0;
    PetscFunctionReturn(0);
  }

  PetscErrorCode Make(PetscInt step) override {
    DM dm;
    PetscFunctionBeginUser;
    const double next = -0.15 + 0.6 * Beta(step);
    PetscCall(MatShift(A, next - context));
    context = next;
    PetscCall(MatGetDM(A, &dm));
    const PetscInt unknowns = (nx_ - 1) * (nx_ - 1);
    for (std::uint64_t attempt = 0; attempt < 1000; ++attempt) {
      const std::uint64_t first = (std::uint64_t(step) * 1000 + attempt) * std::uint64_t(unknowns);
      PetscCall(ForUnknowns(dm, nx_, b, [&](double, double, PetscInt natural, PetscScalar *u) {
        *u = Normal(std::uint64_t(spec_.seed), kRightSides, first + std::uint64_t(natural));
      }));
      PetscReal norm;
      PetscCall(VecNorm(b, NORM_2, &norm));
      if (norm * norm <= double(unknowns)) break;
    }
    PetscCall(VecSet(x, 0));
    PetscFunctionReturn(0);
  }

private:
  enum Stream : std::uint64_t { kRightSides = 311, kShifts = 312 };

  /// By Gamma variates of whole and half numbers: exponential numbers, and half the square of a normal one.
  double Beta(PetscInt step) const {
    const double a = Gamma(spec_.alpha, std::uint64_t(step) * 64), b = Gamma(spec_.beta, std::uint64_t(step) * 64 + 32);
    return a / (a + b);
  }
  double Gamma(double shape, std::uint64_t index) const {
    const std::uint64_t seed = std::uint64_t(spec_.seed);
    double sum = 0;
    for (; shape >= 1; shape -= 1) sum -= std::log1p(-Uniform(seed, kShifts, index++));
    if (shape > 0) {
      const double z = Normal(seed, kShifts + 1, index);
      sum += z * z / 2;
    }
    return sum;
  }

  SequenceSpec spec_;
  PetscInt nx_;
};

} // namespace

PetscErrorCode Sequence::Destroy() {
  PetscFunctionBeginUser;
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeLaplacian(MPI_Comm comm, PetscInt nx, double scale, Mat *L) {
  DM dm;
  PetscInt x0, y0, mx, my;
  const PetscInt n = nx - 1;
  PetscFunctionBeginUser;
  PetscCall(DMDACreate2d(comm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n, n, PETSC_DECIDE, PETSC_DECIDE,
                         1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMSetMatType(dm, MATAIJ));
  PetscCall(DMCreateMatrix(dm, L));
  PetscCall(DMDAGetCorners(dm, &x0, &y0, nullptr, &mx, &my, nullptr));
  for (PetscInt j = y0; j < y0 + my; ++j)
    for (PetscInt i = x0; i < x0 + mx; ++i) {
      MatStencil row{}, columns[5] = {};
      PetscScalar values[5];
      PetscInt count = 0;
      row.i = i, row.j = j;
      const auto add = [&](PetscInt ci, PetscInt cj, double value) {
        if (ci < 0 || cj < 0 || ci >= n || cj >= n) return;
        columns[count].i = ci, columns[count].j = cj;
        values[count++] = scale * value;
      };
      add(i, j, 4);
      add(i - 1, j, -1);
      add(i + 1, j, -1);
      add(i, j - 1, -1);
      add(i, j + 1, -1);
      PetscCall(MatSetValuesStencil(*L, 1, &row, count, columns, values, INSERT_VALUES));
    }
  PetscCall(MatAssemblyBegin(*L, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*L, MAT_FINAL_ASSEMBLY));
  PetscCall(DMDestroy(&dm));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeSequence(MPI_Comm comm, const SequenceSpec &spec, std::unique_ptr<Sequence> *sequence) {
  PetscFunctionBeginUser;
  const bool heat = spec.name == "heat";
  PetscCheck(heat || spec.name == "sor", comm, PETSC_ERR_USER_INPUT,
             "There is no sequence '%s'; there are heat and sor", spec.name.c_str());
  const PetscInt nx = spec.nx > 0 ? spec.nx : heat ? 50 : 11;
  PetscCheck(nx >= 3 && spec.steps >= 1, comm, PETSC_ERR_USER_INPUT,
             "A sequence of %" PetscInt_FMT " steps on %" PetscInt_FMT
             " intervals; give at least 1 step and 3 intervals",
             spec.steps, nx);
  PetscMPIInt ranks;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCheck(heat || ranks == 1, comm, PETSC_ERR_SUP,
             "Sequence sor takes one rank: sweeps of several are local, and iterating with them alone diverges for "
             "factors well above 1");
  const auto halves = [](double x) { return x > 0 && x <= 15 && std::floor(2 * x) == 2 * x; };
  PetscCheck(halves(spec.alpha) && halves(spec.beta), comm, PETSC_ERR_USER_INPUT,
             "Beta(%g, %g): give whole or half numbers up to 15", spec.alpha, spec.beta);
  if (heat) {
    auto made = std::make_unique<Heat>(nx);
    PetscCall(made->SetUp(comm));
    *sequence = std::move(made);
  } else {
    auto made = std::make_unique<Shifted>(spec, nx);
    PetscCall(made->SetUp(comm));
    *sequence = std::move(made);
  }
  PetscFunctionReturn(0);
}

} // namespace krylearn
