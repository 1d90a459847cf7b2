/// \file
/// The CSV file of a training.
#pragma once
#include <cstdio>
#include <memory>
#include <string>

namespace krylearn {
namespace nets {

class TrainingLog {
public:
  struct Row {
    long step = 0;      ///< 0: before the first, without rate, loss and gradient
    double seconds = 0; ///< of training, over all its runs
    double rate = 0, loss = 0, gradient_norm = 0;
    double mean = -1, median = 0, worst = 0; ///< iterations on held-out geometries; -1 where there was no validation
  };

  /// Opens `path`. Of what is there, the rows up to step `kept` stay: those that a run goes on from.
  /// std::runtime_error names a file that cannot be written. One rank.
  TrainingLog(const std::string &path, long kept);
  void Write(const Row &row);
  void Flush() { std::fflush(file_.get()); }

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

} // namespace nets
} // namespace krylearn
