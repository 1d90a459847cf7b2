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
  std::string text = "step,seconds,rate,loss,gradient_norm,iterations,median,worst\n";
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
  std::FILE *file = file_.get();
  std::fprintf(file, "%ld,%.2f,", row.step, row.seconds);
  if (row.step > 0) std::fprintf(file, "%.6g,%.6g,%.6g,", row.rate, row.loss, row.gradient_norm);
  else std::fputs(",,,", file);
  if (row.mean >= 0) std::fprintf(file, "%.4f,%g,%g\n", row.mean, row.median, row.worst);
  else std::fputs(",,\n", file);
}

} // namespace nets
} // namespace krylearn
