/// \file
/// main() of the GoogleTest programs: PETSc, and one verdict for all ranks.
#include "solvers/krylearn.h"
#include "tests/mpi_test.h"
#include <chrono>
#include <cstdio>
#include <sstream>
#include <thread>
#include <vector>

namespace krylearn_test {
namespace {

std::string last_error;

/// Tests provoke errors on purpose, so nothing is printed; failed checks print the message kept here.
PetscErrorCode KeepMessage(MPI_Comm, int, const char *function, const char *, PetscErrorCode code, PetscErrorType type,
                           const char *message, void *) {
  if (type == PETSC_ERROR_INITIAL) last_error = std::string(message ? message : "") + " (in " + function + ")";
  return code;
}

/// At the end of each test the ranks compare verdicts; rank 0 prints the failures of all. A rank that failed and sees
/// nobody come – the others wait for it in communication – prints its own and ends the job.
class CollectFailures : public testing::EmptyTestEventListener {
public:
  explicit CollectFailures(MPI_Comm comm) : comm_(comm) {}

  void OnTestPartResult(const testing::TestPartResult &result) override {
    if (!result.failed()) return;
    std::ostringstream text;
    text << "[rank " << Rank() << "] " << (result.file_name() ? result.file_name() : "unknown file") << ":"
         << result.line_number() << ": " << result.message() << "\n";
    mine_ += text.str();
  }

  void OnTestEnd(const testing::TestInfo &info) override {
    const int length = static_cast<int>(mine_.size());
    int longest = 0;
    MPI_Request request;
    MPI_Iallreduce(&length, &longest, 1, MPI_INT, MPI_MAX, comm_, &request);
    const auto start = std::chrono::steady_clock::now();
    for (int done = 0;;) {
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (done) break;
      if (length && std::chrono::steady_clock::now() - start > std::chrono::seconds(20)) {
        std::fprintf(stderr, "%s[rank %d] %s.%s: other ranks are stuck; aborting\n", mine_.c_str(), Rank(),
                     info.test_suite_name(), info.name());
        MPI_Abort(MPI_COMM_WORLD, 1);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    if (longest > 0) Report();
    mine_.clear();
    TakePetscError();
  }

private:
  void Report() {
    std::vector<int> lengths(Ranks()), starts(Ranks(), 0);
    const int length = static_cast<int>(mine_.size());
    MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, comm_);
    for (int r = 1; r < Ranks(); ++r) starts[r] = starts[r - 1] + lengths[r - 1];
    std::vector<char> all(starts.back() + lengths.back() + 1, '\0');
    MPI_Gatherv(mine_.data(), length, MPI_CHAR, all.data(), lengths.data(), starts.data(), MPI_CHAR, 0, comm_);
    if (Rank() == 0) {
      const std::string others(all.data() + length); // rank 0's own have been printed already
      if (!others.empty()) ADD_FAILURE() << "failures on other ranks:\n" << others;
    } else if (mine_.empty()) {
      ADD_FAILURE() << "failed on another rank";
    }
  }

  MPI_Comm comm_;
  std::string mine_;
};

} // namespace

std::string TakePetscError() {
  std::string text;
  text.swap(last_error);
  return text;
}

int Ranks() {
  int size;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  return size;
}

int Rank() {
  int rank;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  return rank;
}

testing::AssertionResult Succeeds(const char *text, PetscErrorCode code) {
  if (code == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << text << "\nfailed with PETSc error " << code << ": " << TakePetscError();
}

testing::AssertionResult Refuses(const char *call, const char *, PetscErrorCode code, const std::string &message) {
  const std::string error = TakePetscError();
  if (code == 0) return testing::AssertionFailure() << call << "\nsucceeded, expected it to fail with: " << message;
  if (error.find(message) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << call << "\nfailed with: " << error << "\nexpected it to say: " << message;
}

} // namespace krylearn_test

int main(int argc, char **argv) {
  using namespace krylearn_test;
  testing::InitGoogleTest(&argc, argv); // takes its own options, so that PETSc sees the rest
  if (PetscInitialize(&argc, &argv, nullptr, nullptr)) return 1;
  // A crash shall end the process at once: PETSc's handler would allocate memory, and hang where the heap is broken.
  if (PetscPopSignalHandler()) return 1;
  if (KrylearnInitialize() || PetscPushErrorHandler(KeepMessage, nullptr)) return 1;
  MPI_Comm comm;
  MPI_Comm_dup(PETSC_COMM_WORLD, &comm);
  auto &listeners = testing::UnitTest::GetInstance()->listeners();
  if (Rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    testing::GTEST_FLAG(output) = "none";
  }
  listeners.Append(new CollectFailures(comm));
  const int mine = RUN_ALL_TESTS();
  int any = 0;
  MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, comm);
  MPI_Comm_free(&comm);
  if (PetscFinalize()) return 1;
  return any;
}
