#include "nets/training/training_log.h"
#include "nets/nets.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace krylearn {
namespace nets {

TrainingLog::TrainingLog(const std::string &path, long kept) {
  std::string text = "step,seconds,rate,loss,gradient_norm,iterations\n";
  if (kept > 0) {
    std::ifstream before(path);
    std::string line;
    std::getline(before, line); // the head
    while (std::getline(before, line) && std::atol(line.c_str()) <= kept) text += line + "\n";
  }
  file_.reset(std::fopen(path.c_str(), "w"));
  if (!file_) throw FileError("log '" + path + "' cannot be written: " + std::strerror(errno));
  // A run that is killed before the next checkpoint must not take the rows of the runs before it along.
  std::fputs(text.c_str(), file_.get());
  std::fflush(file_.get());
}

void TrainingLog::Write(const Row &row) {
  std::fprintf(file_.get(), "%ld,%.2f,%.6g,%.6g,%.6g,", row.step, row.seconds, row.rate, row.loss, row.gradient_norm);
  if (row.iterations >= 0) std::fprintf(file_.get(), "%.4f", row.iterations);
  std::fputs("\n", file_.get());
}

} // namespace nets
} // namespace krylearn
