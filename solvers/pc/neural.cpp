// PCNEURAL: a trained network as a PETSc preconditioner.
#include "solvers/pc/neural.h"
#include "solvers/misspelt_keys.h"
#include "meshes/log.h"
#include "solvers/pc/neural/geometry.h"
#include "solvers/pc/neural/suitable.h"
#include "solvers/pc/pc_grid.h"
#include <cmath>
#include <cstring>
#include <new>
#include <petsc/private/pcimpl.h>
#include <string>

namespace {

using namespace krylearn;

struct PC_Neural {
  std::string model, device = "auto";
  PetscInt threads = 1;
  nets::Library *library = nullptr;
  PCGrid grid{"PCNEURAL", "pc_neural_grid"};
  MPI_Comm comm = MPI_COMM_NULL; ///< of the network's halos
  std::unique_ptr<nets::Network> network;
  std::vector<nmg::IsolatedRow> isolated;
  std::vector<float> r, q;
  double unit = 1; ///< of the matrix
  ResidualScale scale_in;
  bool warned = false; ///< that the model does not fit the method
};

PC_Neural *Data(PC pc) { return static_cast<PC_Neural *>(pc->data); }

PetscErrorCode PCReset_Neural(PC pc) {
  PC_Neural *neural = Data(pc);
  PetscFunctionBegin;
  neural->network.reset();
  neural->warned = false;
  neural->isolated.clear();
  PetscCall(neural->grid.Reset());
  if (neural->comm != MPI_COMM_NULL) PetscCallMPI(MPI_Comm_free(&neural->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode LoadNetwork(PC pc) {
  PC_Neural *neural = Data(pc);
  MPI_Comm comm = PetscObjectComm((PetscObject)pc);
  PetscFunctionBegin;
  const char *prefix = ((PetscObject)pc)->prefix;
  PetscCheck(!neural->model.empty(), comm, PETSC_ERR_USER_INPUT,
             "PCNEURAL needs a trained model: give -%spc_neural_model FILE, written by the program train",
             prefix ? prefix : "");
  PetscCall(OpenNetworks(comm, &neural->library));
  if (neural->comm == MPI_COMM_NULL) PetscCallMPI(MPI_Comm_dup(comm, &neural->comm));
  PetscCall(GuardedNetworkCall(comm, "PCNEURAL cannot use its model", [&] {
    auto network = neural->library->Load(neural->comm, neural->model);
    network->ChooseDevice(neural->device);
    neural->network = std::move(network);
  }));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSetUp_Neural(PC pc) {
  PC_Neural *neural = Data(pc);
  MPI_Comm comm = PetscObjectComm((PetscObject)pc);
  PetscFunctionBegin;
  PetscBool host;
  MatType type;
  PetscCall(MatGetType(pc->pmat, &type));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)pc->pmat, &host, MATSEQAIJ, MATMPIAIJ, ""));
  PetscCheck(host, comm, PETSC_ERR_SUP,
             "PCNEURAL reads AIJ matrices in host memory, not %s; use -mat_type aij (-dm_mat_type aij)", type);
  PetscCall(PetscLogEventBegin(Log().neural_setup, pc, 0, 0, 0));
  if (!neural->network) PetscCall(LoadNetwork(pc));
  PetscCall(neural->grid.SetUp(pc));
  Mat matrix;
  nets::Geometry geometry;
  PetscCall(neural->grid.Matrix(pc, &matrix));
  PetscCall(GeometryOfMatrix(matrix, neural->grid.GridDM(), neural->grid.Reordered(), *neural->grid.Box(), neural->comm,
                             &geometry, &neural->isolated, &neural->unit));
  PetscCall(GuardedNetworkCall(comm, "PCNEURAL cannot use its model", [&] {
    neural->library->SetThreads(int(neural->threads));
    neural->network->SetUp(geometry);
  }));
  neural->r.assign(std::size_t(geometry.partition.OwnedCells()), 0);
  neural->q = neural->r;
  PetscCall(PetscLogEventEnd(Log().neural_setup, pc, 0, 0, 0));
  PetscFunctionReturn(0);
}

/// Warns of a method that takes more for granted than the network has. Once a model, where users look: on the error
/// stream of the first rank.
PetscErrorCode WarnIfUnsuitable(PC pc, KSP ksp) {
  PC_Neural *neural = Data(pc);
  KSPType type;
  const char *prefix;
  PetscFunctionBegin;
  PetscCall(KSPGetType(ksp, &type));
  const nets::Network &network = *neural->network;
  const char *why = WhyNotSuitable(type, network.Linear(), network.Symmetric());
  PetscReal rtol;
  PetscCall(KSPGetTolerances(ksp, &rtol, nullptr, nullptr, nullptr));
  const bool rounds = !BearsSinglePrecision(type) && rtol < kReachedByAll;
  if ((!why && !rounds) || neural->warned) PetscFunctionReturn(0);
  neural->warned = true;
  PetscCall(KSPGetOptionsPrefix(ksp, &prefix));
  if (!prefix) prefix = "";
  if (!why) {
    PetscCall(PetscFPrintf(PetscObjectComm((PetscObject)pc), PETSC_STDERR,
                           "PCNEURAL warning: -%sksp_type %s takes an exactly linear preconditioner for granted, but "
                           "networks compute in single precision, so tolerances below %g may be claimed and not "
                           "reached; use -%sksp_type dcdm or -%sksp_type fcg\n",
                           prefix, type, double(kReachedByAll), prefix, prefix));
    PetscFunctionReturn(0);
  }
  PetscCall(
      PetscFPrintf(PetscObjectComm((PetscObject)pc), PETSC_STDERR,
                   "PCNEURAL warning: -%sksp_type %s takes a %s preconditioner for granted, but the network of %s "
                   "(architecture %s) is %s, so the solve may stall or claim what it has not reached; use "
                   "-%sksp_type dcdm or -%sksp_type fcg\n",
                   prefix, type, std::strstr(why, "linear") ? "linear" : "symmetric", neural->model.c_str(),
                   network.Architecture().c_str(), why, prefix, prefix));
  PetscFunctionReturn(0);
}

PetscErrorCode PCPreSolve_Neural(PC pc, KSP ksp, Vec, Vec) {
  PetscFunctionBegin;
  PetscCall(PCSetUp(pc)); // a setter may have undone it since KSPSetUp()
  PetscCall(WarnIfUnsuitable(pc, ksp));
  Data(pc)->scale_in.Begin();
  PetscFunctionReturn(0);
}

PetscErrorCode PCPostSolve_Neural(PC pc, KSP, Vec, Vec) {
  PetscFunctionBegin;
  Data(pc)->scale_in.End();
  PetscFunctionReturn(0);
}

PetscErrorCode PCApply_Neural(PC pc, Vec r, Vec z) {
  PC_Neural *neural = Data(pc);
  PetscFunctionBegin;
  PetscCall(PetscLogEventBegin(Log().neural_apply, pc, 0, 0, 0));
  double in;
  if (neural->network->Linear()) {
    PetscCall(neural->scale_in.Look(r));
    in = neural->scale_in.factor;
  } else { // such networks have learnt residuals of norm 1
    PetscReal norm;
    PetscCall(VecNorm(r, NORM_2, &norm));
    in = norm > 0 && std::isfinite(1 / norm) ? 1 / norm : 1;
  }
  const PetscScalar *from;
  PetscScalar *to;
  PetscCall(neural->grid.Enter(r, z, &from, &to));
  const std::size_t cells = neural->r.size();
  for (std::size_t i = 0; i < cells; ++i) neural->r[i] = float(in * from[i]);
  for (const nmg::IsolatedRow &row : neural->isolated) neural->r[std::size_t(row.local)] = 0;
  PetscCall(GuardedNetworkCall(PetscObjectComm((PetscObject)pc), "PCNEURAL failed",
                               [&] { neural->network->Apply(neural->r.data(), neural->q.data()); }));
  const double out = 1 / (in * neural->unit);
  for (std::size_t i = 0; i < cells; ++i) to[i] = out * double(neural->q[i]);
  for (const nmg::IsolatedRow &row : neural->isolated) to[row.local] = from[row.local] * row.inverse;
  PetscCall(neural->grid.Leave(r, z, &from, &to));
  PetscCall(PetscLogFlops(neural->network->Flops()));
  PetscCall(PetscLogEventEnd(Log().neural_apply, pc, 0, 0, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode PCView_Neural(PC pc, PetscViewer viewer) {
  PC_Neural *neural = Data(pc);
  PetscFunctionBegin;
  PetscBool ascii;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(0);
  PetscCall(
      PetscViewerASCIIPrintf(viewer, "  model %s\n", neural->model.empty() ? "not given" : neural->model.c_str()));
  if (!neural->network) PetscFunctionReturn(0);
  const nets::Network &network = *neural->network;
  PetscCall(PetscViewerASCIIPrintf(
      viewer, "  architecture %s, %dD, %ld parameters, %s in the residual, %ssymmetric, single precision\n",
      network.Architecture().c_str(), network.Dim(), network.Parameters(), network.Linear() ? "linear" : "not linear",
      network.Symmetric() ? "" : "not "));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  on %s, %" PetscInt_FMT " thread%s a rank\n", network.Device().c_str(),
                                   neural->threads, neural->threads == 1 ? "" : "s"));
  PetscFunctionReturn(0);
}

PetscErrorCode PCSetFromOptions_Neural(PC pc, PetscOptionItems *PetscOptionsObject) {
  PC_Neural *neural = Data(pc);
  PetscFunctionBegin;
  PetscCall(RefuseMisspeltKeys((PetscObject)pc, "pc_neural_", {"model", "grid", "device", "threads"}));
  PetscOptionsHeadBegin(PetscOptionsObject, "PCNEURAL options");
  char path[PETSC_MAX_PATH_LEN];
  const Int3 &natural = neural->grid.natural;
  PetscInt grid[3] = {natural[0], natural[1], natural[2]}, count = 3;
  PetscBool given;
  PetscCall(PetscOptionsString("-pc_neural_model", "File of the trained model", "PCNeuralSetModel",
                               neural->model.c_str(), path, sizeof path, &given));
  if (given) PetscCall(PCNeuralSetModel(pc, path));
  PetscCall(PetscOptionsIntArray("-pc_neural_grid", "Cells nx,ny[,nz] of a matrix in natural ordering, x fastest",
                                 "PCNeuralSetGrid", grid, &count, &given));
  PetscCheck(!given || count >= 2, PetscObjectComm((PetscObject)pc), PETSC_ERR_USER_INPUT,
             "-pc_neural_grid needs two numbers (2D) or three (3D)");
  if (given) PetscCall(PCNeuralSetGrid(pc, grid[0], grid[1], count > 2 ? grid[2] : 1));
  PetscInt threads = neural->threads;
  PetscCall(PetscOptionsString("-pc_neural_device", "Where the network computes: auto, cpu or cuda",
                               "PCNeuralSetDevice", neural->device.c_str(), path, sizeof path, &given));
  if (given) PetscCall(PCNeuralSetDevice(pc, path));
  PetscCall(PetscOptionsInt("-pc_neural_threads", "Threads of LibTorch's operations on every rank",
                            "PCNeuralSetThreads", threads, &threads, &given));
  if (given) PetscCall(PCNeuralSetThreads(pc, threads));
  PetscOptionsHeadEnd();
  PetscFunctionReturn(0);
}

PetscErrorCode PCDestroy_Neural(PC pc) {
  PetscFunctionBegin;
  PetscCall(PCReset_Neural(pc));
  for (const char *name : {"PCNeuralSetModel_C", "PCNeuralSetGrid_C", "PCNeuralSetDevice_C", "PCNeuralSetThreads_C"})
    PetscCall(PetscObjectComposeFunction((PetscObject)pc, name, nullptr));
  delete Data(pc);
  pc->data = nullptr;
  PetscFunctionReturn(0);
}

PetscErrorCode SetModel(PC pc, const char *path) {
  PetscFunctionBegin;
  PetscCall(PCReset_Neural(pc));
  pc->setupcalled = PETSC_FALSE;
  Data(pc)->model = path ? path : "";
  PetscFunctionReturn(0);
}

PetscErrorCode SetGrid(PC pc, PetscInt nx, PetscInt ny, PetscInt nz) {
  PetscFunctionBegin;
  PetscCheck(nx > 0 && ny > 0 && nz > 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCNEURAL: a grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells has none", nx, ny,
             nz);
  PetscCall(PCReset_Neural(pc));
  pc->setupcalled = PETSC_FALSE;
  Data(pc)->grid.natural = {nx, ny, nz};
  PetscFunctionReturn(0);
}

PetscErrorCode SetDevice(PC pc, const char *device) {
  PetscFunctionBegin;
  const std::string name = device ? device : "";
  PetscCheck(name == "auto" || name == "cpu" || name == "cuda", PetscObjectComm((PetscObject)pc),
             PETSC_ERR_ARG_OUTOFRANGE, "PCNEURAL: unknown device '%s'; give auto, cpu or cuda", name.c_str());
  if (name == Data(pc)->device) PetscFunctionReturn(0);
  PetscCall(PCReset_Neural(pc));
  pc->setupcalled = PETSC_FALSE;
  Data(pc)->device = name;
  PetscFunctionReturn(0);
}

PetscErrorCode SetThreads(PC pc, PetscInt threads) {
  PetscFunctionBegin;
  PetscCheck(threads >= 1 && threads <= 1024, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE,
             "PCNEURAL: %" PetscInt_FMT " threads a rank; give 1 to 1024", threads);
  if (threads != Data(pc)->threads) pc->setupcalled = PETSC_FALSE;
  Data(pc)->threads = threads;
  PetscFunctionReturn(0);
}

} // namespace

extern "C" {

PetscErrorCode PCNeuralSetModel(PC pc, const char *path) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNeuralSetModel_C", (PC, const char *), (pc, path));
  PetscFunctionReturn(0);
}

PetscErrorCode PCNeuralSetGrid(PC pc, PetscInt nx, PetscInt ny, PetscInt nz) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNeuralSetGrid_C", (PC, PetscInt, PetscInt, PetscInt), (pc, nx, ny, nz));
  PetscFunctionReturn(0);
}

PetscErrorCode PCNeuralSetDevice(PC pc, const char *device) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNeuralSetDevice_C", (PC, const char *), (pc, device));
  PetscFunctionReturn(0);
}

PetscErrorCode PCNeuralSetThreads(PC pc, PetscInt threads) {
  PetscFunctionBegin;
  PetscTryMethod(pc, "PCNeuralSetThreads_C", (PC, PetscInt), (pc, threads));
  PetscFunctionReturn(0);
}

/*MC
   PCNEURAL - a trained network applied to the residual on a structured grid

   Options Database Keys:
+  -pc_neural_model FILE - the trained model: what the program train writes, or a TorchScript archive
.  -pc_neural_grid nx,ny[,nz] - the grid of a matrix in natural ordering; otherwise a DMDA tells it
.  -pc_neural_device auto - cpu, cuda, or auto: CUDA where LibTorch finds it and the architecture can use it
-  -pc_neural_threads 1 - threads of LibTorch's operations on every rank

   Level: intermediate

   Notes:
   The geometry – coefficients, solids, sides – is read from the matrix, which is AIJ and a symmetric star (5 points
   in 2D, 7 in 3D); rows that hold nothing but a diagonal are solved on their own. A model serves grids of any size of
   its dimension, in any cut over ranks, with the same iterations. Models of the architecture vcycle are linear and
   symmetric, so that `KSPCG` may use them; for others take `KSPDCDM` or `KSPFCG`: a method that takes more for granted
   than a model has is named in a line on the error stream. TorchScript modules follow the contract in
   nets/torchscript/README.md. Use -ksp_norm_type unpreconditioned
   to stop on the true residual: then a bad model makes a solve slow, never wrong.

   LibTorch is loaded when the first `PCNEURAL` is set up, not before. It has one setting for the number of threads in
   a process, so the network set up last decides.

.seealso: `PCNeuralSetModel()`, `PCNeuralSetGrid()`, `PCNeuralSetDevice()`, `PCNeuralSetThreads()`, `KSPDCDM`, `PCNMG`
M*/
PetscErrorCode PCCreate_Neural(PC pc) {
  PetscFunctionBegin;
  pc->data = new (std::nothrow) PC_Neural;
  PetscCheck(pc->data, PETSC_COMM_SELF, PETSC_ERR_MEM, "PCNEURAL: out of memory");
  pc->ops->apply = PCApply_Neural;
  pc->ops->setup = PCSetUp_Neural;
  pc->ops->presolve = PCPreSolve_Neural;
  pc->ops->postsolve = PCPostSolve_Neural;
  pc->ops->reset = PCReset_Neural;
  pc->ops->destroy = PCDestroy_Neural;
  pc->ops->setfromoptions = PCSetFromOptions_Neural;
  pc->ops->view = PCView_Neural;
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetModel_C", SetModel));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetGrid_C", SetGrid));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetDevice_C", SetDevice));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetThreads_C", SetThreads));
  PetscFunctionReturn(0);
}

} // extern "C"
