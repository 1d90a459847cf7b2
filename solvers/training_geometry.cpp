#include "solvers/training_geometry.h"
#include "solvers/pc/neural/geometry.h"
#include <stdexcept>

namespace krylearn {

PetscErrorCode MakeTrainingGeometry(const ProblemSpec &wanted, TrainingGeometry *made) {
  constexpr PetscInt kMostDraws = 100;
  PetscFunctionBeginUser;
  ProblemSpec spec = wanted;
  Problem problem;
  for (;; ++spec.boundary_draw) {
    PetscInt64 filled;
    SingularComponents singular;
    PetscCall(CreateProblem(PETSC_COMM_SELF, spec, &problem));
    PetscCall(FillPockets(*problem.grid, PETSC_MAX_INT, &problem.coefficients, &filled));
    if (!spec.mixed_boundaries) break;
    PetscCall(FindSingularComponents(*problem.grid, problem.coefficients, &singular));
    if (singular.cells.empty()) break;
    PetscCheck(spec.boundary_draw < kMostDraws, PETSC_COMM_SELF, PETSC_ERR_USER_INPUT,
               "Problem %s of seed %" PetscInt_FMT " is cut off from its Dirichlet sides, whichever they are",
               spec.name.c_str(), spec.seed);
  }
  Mat matrix;
  PetscCall(AssemblePoisson(*problem.grid, problem.coefficients, &matrix));
  std::shared_ptr<nmg::Box> box;
  std::vector<nmg::IsolatedRow> isolated;
  DM dm = problem.grid->PressureDM();
  PetscCall(nmg::BoxOfDMDA(dm, &box));
  PetscCall(GeometryOfMatrix(matrix, dm, nullptr, *box, MPI_COMM_SELF, &made->geometry, &isolated, &made->unit));
  PetscCall(MatDestroy(&matrix));
  made->boundaries.sides = problem.coefficients.sides;
  made->boundaries.periodic = problem.grid->Spec().periodic;
  PetscFunctionReturn(0);
}

nets::GeometrySource TrainingGeometries(const ProblemSpec &parameters) {
  return [parameters](const nets::GeometryRequest &request) {
    ProblemSpec spec = parameters;
    spec.name = request.family;
    spec.seed = PetscInt(request.seed);
    for (std::size_t a = 0; a < 3; ++a) spec.cells[a] = PetscInt(request.n[a]);
    TrainingGeometry made;
    if (const PetscErrorCode code = MakeTrainingGeometry(spec, &made))
      throw std::runtime_error("problem " + request.family + " of seed " + std::to_string(request.seed) +
                               " could not be made (PETSc error " + std::to_string(int(code)) + ")");
    return made.geometry;
  };
}

} // namespace krylearn
