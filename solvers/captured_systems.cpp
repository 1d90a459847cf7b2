#include "solvers/captured_systems.h"
#include "meshes/files.h"
#include <sstream>

namespace krylearn {

PetscErrorCode ListCapturedSystems(MPI_Comm comm, const std::string &folder, PetscInt most, CapturedSystems *list) {
  PetscFunctionBeginUser;
  *list = CapturedSystems();
  const std::string name = folder + "/sequence.txt";
  PetscCall(ReadTextFile(comm, name, &list->text));
  PetscCheck(!list->text.empty(), comm, PETSC_ERR_FILE_OPEN,
             "No captured systems in %s: there is no %s; write one with fluid -capture %s", folder.c_str(),
             name.c_str(), folder.c_str());
  std::string matrix;
  std::istringstream lines(list->text);
  for (std::string line; std::getline(lines, line) && (most == 0 || PetscInt(list->systems.size()) < most);) {
    std::istringstream words(line);
    std::string first, rhs, word;
    double step, residual;
    words >> first;
    if (first == "grid") {
      int periodic[3] = {0, 0, 0};
      auto &cells = list->grid.cells;
      words >> cells[0] >> cells[1] >> cells[2] >> word >> periodic[0] >> periodic[1] >> periodic[2];
      list->gridded = !words.fail();
      for (std::size_t a = 0; a < 3; ++a) list->grid.periodic[a] = periodic[a] != 0;
      if (list->gridded) continue;
    }
    words >> rhs >> word >> step >> word >> residual;
    PetscCheck(!words.fail() && (matrix.empty() || first == matrix), comm, PETSC_ERR_FILE_UNEXPECTED,
               "%s is damaged: it has the line '%s'", name.c_str(), line.c_str());
    matrix = first;
    list->systems.push_back({folder + "/" + rhs, residual});
  }
  PetscCheck(!list->systems.empty(), comm, PETSC_ERR_FILE_UNEXPECTED, "%s names no system", name.c_str());
  list->matrix = folder + "/" + matrix;
  PetscFunctionReturn(0);
}

} // namespace krylearn
