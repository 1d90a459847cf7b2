#include "solvers/training_geometry.h"
#include "solvers/pc/neural/geometry.h"
#include <stdexcept>

namespace krylearn {
namespace {

PetscErrorCode MakeGeometry(const ProblemSpec &spec, nets::Geometry *geometry) {
  PetscFunctionBeginUser;
  Problem problem;
  PetscInt64 filled;
  Mat matrix;
  PetscCall(CreateProblem(PETSC_COMM_SELF, spec, &problem));
  PetscCall(FillPockets(*problem.grid, PETSC_MAX_INT, &problem.coefficients, &filled));
  PetscCall(AssemblePoisson(*problem.grid, problem.coefficients, &matrix));
  std::shared_ptr<nmg::Box> box;
  std::vector<nmg::IsolatedRow> isolated;
  double unit;
  DM dm = problem.grid->PressureDM();
  PetscCall(nmg::BoxOfDMDA(dm, &box));
  PetscCall(GeometryOfMatrix(matrix, dm, false, *box, MPI_COMM_SELF, geometry, &isolated, &unit));
  PetscCall(MatDestroy(&matrix));
  PetscFunctionReturn(0);
}

} // namespace

nets::GeometrySource TrainingGeometries(const ProblemSpec &parameters) {
  return [parameters](const nets::GeometryRequest &request) {
    ProblemSpec spec = parameters;
    spec.name = request.family;
    spec.seed = PetscInt(request.seed);
    for (std::size_t a = 0; a < 3; ++a) spec.cells[a] = PetscInt(request.n[a]);
    nets::Geometry geometry;
    if (const PetscErrorCode code = MakeGeometry(spec, &geometry))
      throw std::runtime_error("problem " + request.family + " of seed " + std::to_string(request.seed) +
                               " could not be made (PETSc error " + std::to_string(int(code)) + ")");
    return geometry;
  };
}

} // namespace krylearn
