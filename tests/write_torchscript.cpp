// Writes the TorchScript modules that command-line cases use: write_torchscript FOLDER.
#include "tests/nets/torchscript_modules.h"
#include <filesystem>

using namespace krylearn_test;

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  Declared(2, 1, true, kPolynomial).save(folder / "polynomial.pt");
  Declared(3, 7, false, kTwoLevels, 4).save(folder / "two_levels.pt");
  Declared(2, 1, true, "def forward(self, r, g):\n    return r - r.mean()\n").save(folder / "global.pt");
  return 0;
}
