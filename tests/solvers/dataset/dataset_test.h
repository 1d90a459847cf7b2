/// \file
/// Small data sets for the tests of solvers/dataset/.
#pragma once
#include "solvers/dataset/generate.h"
#include "solvers/dataset/reader.h"
#include "solvers/dataset/writer.h"
#include "tests/scratch_folder.h"
#include <fstream>
#include <iterator>

namespace krylearn_test {

/// Two sizes, two problems, all that a sample can have but eigenvectors, which not every build makes.
inline krylearn::DataSpec SmallSpec() {
  krylearn::DataSpec spec;
  spec.problems = {"obstacles", "darcy"};
  spec.grids = {{12, 13, 1}, {6, 5, 7}};
  spec.count = 2;
  spec.solutions = 2;
  spec.parameters.mixed_boundaries = true;
  return spec;
}

inline krylearn::DataPlan Plan(const krylearn::DataSpec &spec) {
  krylearn::DataPlan plan;
  EXPECT_PETSC_OK(krylearn::PlanDataSet(PETSC_COMM_WORLD, spec, &plan));
  return plan;
}

inline PetscErrorCode Generate(MPI_Comm comm, const krylearn::DataPlan &plan, const std::string &path,
                               krylearn::DataReport *report = nullptr) {
  krylearn::DataOutput output;
  krylearn::DataReport ignored;
  output.path = path;
  return krylearn::GenerateDataSet(comm, plan, output, report ? report : &ignored);
}

inline std::string BytesOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline void WriteBytes(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

} // namespace krylearn_test
