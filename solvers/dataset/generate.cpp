#include "solvers/dataset/generate.h"
#include "meshes/files.h"
#include "solvers/dataset/make_sample.h"
#include "solvers/dataset/reader.h"
#include "solvers/dataset/seal.h"
#include "solvers/dataset/unknowns.h"
#include "solvers/dataset/writer.h"
#include <cstdio>
#include <sys/stat.h>

namespace krylearn {
namespace {

/// Counts the samples of all ranks on rank 0: each tells it when one is written.
class Progress {
public:
  PetscErrorCode Start(MPI_Comm comm, const DataPlan &plan, const DataWriter &writer, const DataOutput &output) {
    PetscFunctionBeginUser;
    PetscCallMPI(MPI_Comm_dup(comm, &comm_));
    PetscCallMPI(MPI_Comm_rank(comm, &rank_));
    say_ = output.say;
    plan_ = &plan;
    for (std::size_t i = 0; i < plan.samples.size(); ++i)
      if (!writer.Done(i)) missing_ += Weight(i), ++left_;
    start_ = last_ = MPI_Wtime();
    PetscFunctionReturn(0);
  }
  PetscErrorCode Made(std::size_t number) {
    PetscFunctionBeginUser;
    const unsigned long sent = number;
    if (rank_ != 0) PetscCallMPI(MPI_Send(&sent, 1, MPI_UNSIGNED_LONG, 0, 0, comm_));
    else Count(number);
    for (int there = rank_ == 0; there;) {
      PetscCallMPI(MPI_Iprobe(MPI_ANY_SOURCE, 0, comm_, &there, MPI_STATUS_IGNORE));
      if (there) PetscCall(Receive());
    }
    PetscFunctionReturn(0);
  }
  PetscErrorCode Finish() {
    PetscFunctionBeginUser;
    while (rank_ == 0 && left_ > 0) PetscCall(Receive());
    PetscCallMPI(MPI_Comm_free(&comm_));
    PetscFunctionReturn(0);
  }

private:
  PetscErrorCode Receive() {
    PetscFunctionBeginUser;
    unsigned long number;
    PetscCallMPI(MPI_Recv(&number, 1, MPI_UNSIGNED_LONG, MPI_ANY_SOURCE, 0, comm_, MPI_STATUS_IGNORE));
    Count(number);
    PetscFunctionReturn(0);
  }
  /// Work in a sample, roughly.
  double Weight(std::size_t number) const {
    const DataGroup &group = plan_->groups[plan_->samples[number].group];
    return double(group.Cells()) * (1 + double(group.right_sides) + double(group.modes));
  }
  void Count(std::size_t number) {
    --left_;
    made_ += Weight(number);
    const double now = MPI_Wtime();
    if (!say_ || (now - last_ < 10 && left_ > 0)) return;
    last_ = now;
    char text[120];
    std::snprintf(text, sizeof text, "sample %zu of %zu, about %.0f s left", plan_->samples.size() - left_,
                  plan_->samples.size(), (now - start_) * (missing_ - made_) / made_);
    say_(text);
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  std::function<void(const std::string &)> say_;
  const DataPlan *plan_ = nullptr;
  std::size_t left_ = 0;
  double missing_ = 0, made_ = 0, start_ = 0, last_ = 0;
};

/// Whether the data set is complete already. A file that is something else is refused.
PetscErrorCode IsComplete(MPI_Comm comm, const DataPlan &plan, const std::string &path, bool *complete) {
  PetscFunctionBeginUser;
  int rank, there = 0;
  struct stat info;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) there = !stat(path.c_str(), &info) && S_ISREG(info.st_mode);
  PetscCallMPI(MPI_Bcast(&there, 1, MPI_INT, 0, comm));
  *complete = there;
  if (!there) PetscFunctionReturn(0);
  std::unique_ptr<DataSet> set;
  PetscCall(DataSet::Open(comm, path, &set));
  PetscCheck(set->Options() == plan.options, comm, PETSC_ERR_USER_INPUT,
             "'%s' is a data set of other options (%s); remove it or choose another name", path.c_str(),
             set->Options().c_str());
  PetscFunctionReturn(0);
}

/// Gives a finished data set its name, where a run has ended just before it would have.
PetscErrorCode NameFinished(MPI_Comm comm, const DataPlan &plan, const std::string &path, bool *named) {
  PetscFunctionBeginUser;
  const std::string part = path + ".part";
  int rank, sealed = 0;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) sealed = FindPartFile(part) == PartFile::kSealed;
  PetscCallMPI(MPI_Bcast(&sealed, 1, MPI_INT, 0, comm));
  *named = false;
  if (!sealed) PetscFunctionReturn(0);
  PetscCall(IsComplete(comm, plan, part, named));
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_WRITE, "Cannot write '" + path + "'",
                             rank == 0 ? Publish(part, path) : ""));
  PetscFunctionReturn(0);
}

} // namespace

PetscErrorCode GenerateDataSet(MPI_Comm comm, const DataPlan &plan, const DataOutput &output, DataReport *report) {
  PetscFunctionBeginUser;
  const double start = MPI_Wtime();
  int rank, size;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  *report = DataReport();
  report->samples = long(plan.samples.size());
  report->megabytes = plan.Bytes() / 1e6;
  PetscCheck(report->megabytes <= output.max_megabytes, comm, PETSC_ERR_USER_INPUT,
             "The data set would take %.4g MB, more than -max_size %g; lower -count, -solutions or -ritz, or raise it",
             report->megabytes, output.max_megabytes);
  PetscCall(IsComplete(comm, plan, output.path, &report->complete));
  if (report->complete) PetscFunctionReturn(0);
  const auto going_on = [&](long there) {
    if (there > 0 && rank == 0 && output.say)
      output.say("going on: " + std::to_string(there) + " samples of " + std::to_string(report->samples) +
                 " are there");
  };
  bool named;
  PetscCall(NameFinished(comm, plan, output.path, &named));
  if (named) {
    going_on(report->samples);
    report->seconds = MPI_Wtime() - start;
    PetscFunctionReturn(0);
  }
  if (plan.spec.modes > 0) PetscCall(PrepareModes());
  DataWriter writer;
  Progress progress;
  PetscCall(writer.Open(comm, output.path, plan, output.revision));
  PetscCall(progress.Start(comm, plan, writer, output));
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < plan.samples.size(); ++i)
    if (!writer.Done(i)) missing.push_back(i);
  report->made = long(missing.size());
  going_on(report->samples - report->made);
  for (std::size_t i = std::size_t(rank); i < missing.size(); i += std::size_t(size)) {
    DataSample sample;
    PetscCall(MakeSample(plan, missing[i], &sample));
    PetscCall(writer.Write(missing[i], &sample));
    PetscCall(progress.Made(missing[i]));
  }
  PetscCall(progress.Finish());
  PetscCall(writer.Finish());
  report->seconds = MPI_Wtime() - start;
  PetscFunctionReturn(0);
}

} // namespace krylearn
