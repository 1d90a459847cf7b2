// The heat experiment of Khodak, Chow, Balcan and Talwalkar (arXiv 2310.02246) as a sequence of systems.
#include "solvers/compare/workload.h"
#include <cmath>

namespace krylearn {
namespace {

constexpr double kStep = 1e-3, kPi = 3.14159265358979323846;

double Conductivity(double t) { return std::max(0.1 * std::sin(2 * kPi * t), -10 * std::sin(2 * kPi * t)); }

/// Smooth, 1 at the centre, 0 from `radius` on.
double Bump(double x, double y, double radius) {
  const double s = (x * x + y * y) / (radius * radius);
  return s < 1 ? std::exp(1 - 1 / (1 - s)) : 0;
}

class HeatWorkload : public Workload {
public:
  HeatWorkload(PetscInt nx, PetscInt steps) : nx_(nx), steps_(steps) {}
  PetscInt Steps() const override { return steps_; }

  PetscErrorCode Create(MPI_Comm comm) {
    PetscFunctionBeginUser;
    GridSpec spec;
    spec.cells = {nx_ - 1, nx_ - 1, 1};
    PetscCall(Grid::Create(comm, spec, &system.problem.grid));
    const Grid &nodes = *system.problem.grid;
    PetscCall(DMCreateMatrix(nodes.PressureDM(), &system.A));
    PetscCall(PetscObjectReference((PetscObject)system.A));
    system.P = system.A;
    PetscCall(DMCreateGlobalVector(nodes.PressureDM(), &system.b));
    PetscCall(VecDuplicate(system.b, &system.x));
    PetscCall(VecDuplicate(system.b, &product_));
    name = "heat";
    grid = GridSize(spec.cells);
    sequence = true;
    PetscFunctionReturn(0);
  }

  PetscErrorCode Destroy() override {
    PetscFunctionBeginUser;
    PetscCall(VecDestroy(&product_));
    PetscCall(system.Destroy());
    PetscFunctionReturn(0);
  }

  PetscErrorCode Prepare(PetscInt step, bool *new_matrix) override {
    PetscFunctionBeginUser;
    const double t = kStep * double(step);
    if (step == 0) {
      PetscCall(Fill(system.x, [](double x, double y) { return Bump(x - 0.5, y - 0.5, 0.25); }));
      PetscCall(SetConductivity(Conductivity(0)));
    }
    // b = (I + dt/2 κ(t) Δ) u + dt/2 (f(t) + f(t + dt)); A is I - dt/2 κ(t) Δ still.
    PetscCall(MatMult(system.A, system.x, product_));
    const auto source = [t](double x, double y) {
      double sum = 0;
      for (const double when : {t, t + kStep})
        sum += Bump(x - 0.5 - std::cos(16 * kPi * when) / 4, y - 0.5 - std::sin(16 * kPi * when) / 4, 0.125);
      return 32 * kStep / 2 * sum;
    };
    PetscCall(Fill(system.b, source));
    PetscCall(VecAXPBYPCZ(system.b, 2, -1, 1, system.x, product_));
    PetscCall(SetConductivity(Conductivity(t + kStep)));
    *new_matrix = true;
    PetscFunctionReturn(0);
  }

private:
  /// Values of a function at the inner nodes.
  template <class F> PetscErrorCode Fill(Vec vec, F &&function) {
    PetscFunctionBeginUser;
    PetscScalar ***values;
    const Grid &nodes = *system.problem.grid;
    PetscCall(DMDAVecGetArrayWrite(nodes.PressureDM(), vec, &values));
    ForEachCell(nodes.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
      values[k][j][i] = function(double(i + 1) / double(nx_), double(j + 1) / double(nx_));
    });
    PetscCall(DMDAVecRestoreArrayWrite(nodes.PressureDM(), vec, &values));
    PetscFunctionReturn(0);
  }

  /// A = I - dt/2 κ Δ with the five-point Laplacian.
  PetscErrorCode SetConductivity(double kappa) {
    PetscFunctionBeginUser;
    const Layout &layout = system.problem.grid->Cells();
    const double c = kStep / 2 * kappa * double(nx_) * double(nx_);
    for (PetscInt j = layout.lo[1]; j < layout.hi[1]; ++j)
      for (PetscInt i = layout.lo[0]; i < layout.hi[0]; ++i) {
        const auto at = [](PetscInt x, PetscInt y) {
          MatStencil s{};
          s.i = x;
          s.j = y;
          return s;
        };
        MatStencil row = at(i, j), columns[5] = {row};
        PetscScalar values[5] = {1 + 4 * c};
        PetscInt used = 1;
        for (const MatStencil &s : {at(i - 1, j), at(i + 1, j), at(i, j - 1), at(i, j + 1)}) {
          if (s.i < 0 || s.j < 0 || s.i >= nx_ - 1 || s.j >= nx_ - 1) continue;
          columns[used] = s;
          values[used++] = -c;
        }
        PetscCall(MatSetValuesStencil(system.A, 1, &row, used, columns, values, INSERT_VALUES));
      }
    PetscCall(MatAssemblyBegin(system.A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(system.A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatSetOption(system.A, MAT_SPD, PETSC_TRUE));
    PetscFunctionReturn(0);
  }

  PetscInt nx_, steps_;
  Vec product_ = nullptr;
};

} // namespace

PetscErrorCode MakeHeatWorkload(MPI_Comm comm, PetscInt nx, PetscInt steps, std::unique_ptr<Workload> *workload) {
  PetscFunctionBeginUser;
  PetscCheck(nx >= 4, comm, PETSC_ERR_USER_INPUT, "-nx %" PetscInt_FMT ": the heat experiment needs at least 4", nx);
  PetscCheck(steps >= 1, comm, PETSC_ERR_USER_INPUT, "-steps %" PetscInt_FMT ": give at least 1", steps);
  std::unique_ptr<HeatWorkload> heat(new HeatWorkload(nx, steps));
  PetscCall(heat->Create(comm));
  *workload = std::move(heat);
  PetscFunctionReturn(0);
}

} // namespace krylearn
