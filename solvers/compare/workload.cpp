#include "solvers/compare/workload.h"
#include "solvers/captured_systems.h"

namespace krylearn {
namespace {

class ProblemWorkload : public Workload {
public:
  ProblemWorkload(PetscInt problem_seed, PetscInt solves) : solves_(solves) { seed = problem_seed; }
  PetscInt Steps() const override { return solves_; }
  PetscErrorCode Prepare(PetscInt step, bool *new_matrix) override {
    PetscFunctionBeginUser;
    *new_matrix = false;
    PetscCall(VecZeroEntries(system.x));
    Problem &problem = system.problem;
    if (solves_ == 1 || !problem.grid) PetscFunctionReturn(0);
    // The first is the problem's own; the others are random, whatever the problem, so that none is known already.
    if (!own_) {
      PetscCall(VecDuplicate(system.b, &own_));
      PetscCall(VecCopy(system.b, own_));
    }
    if (step == 0) {
      PetscCall(VecCopy(own_, system.b));
      PetscFunctionReturn(0);
    }
    Field random = problem.grid->NewField();
    PetscCall(RandomRightHandSide(problem, seed + step, &random));
    PetscCall(problem.grid->ToVec(random, system.b));
    PetscFunctionReturn(0);
  }

  PetscErrorCode Destroy() override {
    PetscFunctionBeginUser;
    PetscCall(VecDestroy(&own_));
    PetscCall(system.Destroy());
    PetscFunctionReturn(0);
  }

private:
  PetscInt solves_;
  Vec own_ = nullptr; ///< the right-hand side of the first solve
};

/// What `fluid -capture` wrote.
class CapturedWorkload : public Workload {
public:
  PetscInt Steps() const override { return PetscInt(files_.size()); }
  PetscErrorCode Prepare(PetscInt step, bool *new_matrix) override {
    PetscFunctionBeginUser;
    *new_matrix = false;
    if (step == 0) PetscCall(VecZeroEntries(system.x));
    PetscViewer viewer;
    PetscCall(PetscViewerBinaryOpen(PetscObjectComm((PetscObject)system.b), files_[std::size_t(step)].c_str(),
                                    FILE_MODE_READ, &viewer));
    PetscCall(VecLoad(system.b, viewer));
    PetscCall(PetscViewerDestroy(&viewer));
    PetscFunctionReturn(0);
  }
  double AbsoluteTolerance(PetscInt step) const override { return tolerances_[std::size_t(step)]; }

  PetscErrorCode Read(MPI_Comm comm, const std::string &folder, PetscInt steps, bool relative) {
    PetscFunctionBeginUser;
    CapturedSystems list;
    PetscCall(ListCapturedSystems(comm, folder, steps, &list));
    std::shared_ptr<const Grid> box;
    if (list.gridded) PetscCall(Grid::Create(comm, list.grid, &box));
    for (const auto &one : list.systems) {
      files_.push_back(one.rhs);
      tolerances_.push_back(relative ? 0 : one.residual);
    }
    PetscCall(ReadSystem(comm, list.matrix, files_[0], &system, box));
    for (const std::string &file : files_) PetscCall(CheckVectorFile(comm, file, system.b));
    name = folder;
    grid = list.gridded ? GridSize(list.grid.cells) : "";
    sequence = true;
    PetscFunctionReturn(0);
  }

private:
  std::vector<std::string> files_;
  std::vector<double> tolerances_;
};

} // namespace

PetscErrorCode Workload::StructuredMatrix(Mat *copy) const {
  PetscFunctionBeginUser;
  *copy = nullptr;
  if (!system.problem.grid) PetscFunctionReturn(0);
  const Grid &box = *system.problem.grid;
  const Layout &layout = box.Cells();
  const DM dm = box.PressureDM();
  MatType usual;
  PetscCall(DMGetMatType(dm, &usual));
  const std::string restore = usual;
  PetscCall(DMSetMatType(dm, MATHYPRESTRUCT));
  PetscCall(DMCreateMatrix(dm, copy));
  PetscCall(DMSetMatType(dm, restore.c_str()));
  PetscInt start[3], count[3];
  PetscCall(DMDAGetGhostCorners(dm, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  const PetscInt stride[3] = {1, count[0], count[0] * count[1]};
  for (PetscInt k = layout.lo[2]; k < layout.hi[2]; ++k)
    for (PetscInt j = layout.lo[1]; j < layout.hi[1]; ++j)
      for (PetscInt i = layout.lo[0]; i < layout.hi[0]; ++i) {
        const Int3 cell{i, j, k};
        PetscInt row = 0, columns[7], used = 1;
        PetscScalar values[7];
        for (int a = 0; a < 3; ++a) row += (cell[a] - start[a]) * stride[a];
        columns[0] = row;
        for (int a = 0; a < box.Dim(); ++a)
          for (const int side : {-1, 1})
            if (box.Periodic(a) || (cell[a] + side >= 0 && cell[a] + side < layout.n[a]))
              columns[used++] = row + side * stride[a];
        PetscCall(MatGetValuesLocal(system.A, 1, &row, used, columns, values));
        PetscCall(MatSetValuesLocal(*copy, 1, &row, used, columns, values, INSERT_VALUES));
      }
  PetscCall(MatAssemblyBegin(*copy, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*copy, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeProblemWorkload(MPI_Comm comm, const ProblemSpec &spec, PetscInt solves,
                                   std::unique_ptr<Workload> *workload) {
  PetscFunctionBeginUser;
  workload->reset(new ProblemWorkload(spec.seed, solves));
  PetscCall(MakeSystem(comm, spec, "", &(*workload)->system));
  (*workload)->name = spec.name;
  (*workload)->grid = GridSize(spec.cells);
  PetscFunctionReturn(0);
}

PetscErrorCode MakeFileWorkload(MPI_Comm comm, const std::string &matrix, const std::string &rhs,
                                std::unique_ptr<Workload> *workload) {
  PetscFunctionBeginUser;
  workload->reset(new ProblemWorkload(0, 1));
  PetscCall(ReadSystem(comm, matrix, rhs, &(*workload)->system));
  (*workload)->name = matrix;
  PetscFunctionReturn(0);
}

PetscErrorCode MakeCapturedWorkload(MPI_Comm comm, const std::string &folder, PetscInt steps, bool relative,
                                    std::unique_ptr<Workload> *workload) {
  PetscFunctionBeginUser;
  std::unique_ptr<CapturedWorkload> captured(new CapturedWorkload);
  PetscCall(captured->Read(comm, folder, steps, relative));
  *workload = std::move(captured);
  PetscFunctionReturn(0);
}

} // namespace krylearn
