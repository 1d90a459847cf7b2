#include "solvers/compare/log_observer.h"
#include "tests/mpi_test.h"
#include <algorithm>
#include <petscksp.h>

using namespace krylearn;

namespace {

TEST(LogObserver, SortsEventsIntoCategoriesByNameAndPlace) {
  EXPECT_STREQ(EventCategory("MatMult", false), "MatMult");
  EXPECT_STREQ(EventCategory("MatMult", true), "smoother");
  EXPECT_STREQ(EventCategory("MatMultAdd", true), "transfer");
  EXPECT_STREQ(EventCategory("MatSOR", true), "smoother");
  EXPECT_STREQ(EventCategory("PCApply", false), "preconditioner");
  EXPECT_STREQ(EventCategory("VecTDot", false), "reductions");
  EXPECT_STREQ(EventCategory("VecAXPY", false), "vectors");
  EXPECT_STREQ(EventCategory("VecScatterEnd", true), "halos");
  EXPECT_STREQ(EventCategory("krylearn_halo", true), "halos");
  EXPECT_STREQ(EventCategory("krylearn_network", true), "network");
  EXPECT_STREQ(EventCategory("MatSolve", true), "factor solve");
  for (const char *event : {"MatMult", "KSPSolve", "anything"})
    for (const bool inside : {false, true}) {
      const std::string category = EventCategory(event, inside);
      const auto &all = EventCategories();
      EXPECT_NE(std::find(all.begin(), all.end(), category), all.end()) << category;
    }
}

const EventCost *Find(const std::vector<EventCost> &costs, const std::string &event) {
  for (const EventCost &c : costs)
    if (c.event == event) return &c;
  return nullptr;
}

TEST(LogObserver, KeepsOwnTimeApartFromNestedEventsAndIgnoresWhatIsOutside) {
  ASSERT_PETSC_OK(LogObserver::Install());
  PetscClassId classid;
  PetscLogEvent outer, inner;
  ASSERT_PETSC_OK(PetscClassIdRegister("ObserverTest", &classid));
  ASSERT_PETSC_OK(PetscLogEventRegister("test_outer", classid, &outer));
  ASSERT_PETSC_OK(PetscLogEventRegister("test_inner", classid, &inner));
  const auto run = [&]() -> PetscErrorCode {
    PetscFunctionBeginUser;
    PetscCall(PetscLogEventBegin(outer, 0, 0, 0, 0));
    for (int i = 0; i < 3; ++i) {
      PetscCall(PetscLogEventBegin(inner, 0, 0, 0, 0));
      PetscCall(PetscLogFlops(10));
      // Long beside what lies between the clocks of PETSc and of the observer.
      for (const double end = MPI_Wtime() + 2e-3; MPI_Wtime() < end;) continue;
      PetscCall(PetscLogEventEnd(inner, 0, 0, 0, 0));
    }
    PetscCall(PetscLogEventEnd(outer, 0, 0, 0, 0));
    PetscFunctionReturn(0);
  };
  LogObserver observer;
  std::vector<EventCost> costs;
  ASSERT_PETSC_OK(run());
  ASSERT_PETSC_OK(observer.Enter("observed", Phase::kSolve));
  ASSERT_PETSC_OK(run());
  ASSERT_PETSC_OK(observer.Leave());
  ASSERT_PETSC_OK(run());
  ASSERT_PETSC_OK(observer.Collect(PETSC_COMM_WORLD, &costs));
  const EventCost *out = Find(costs, "test_outer"), *in = Find(costs, "test_inner");
  ASSERT_TRUE(out && in);
  EXPECT_EQ(out->count, 1);
  EXPECT_EQ(in->count, 3);
  EXPECT_DOUBLE_EQ(in->flops, 30 * krylearn_test::Ranks());
  EXPECT_DOUBLE_EQ(out->flops, 30 * krylearn_test::Ranks());
  EXPECT_LE(out->own_seconds, out->seconds);
  EXPECT_GT(in->own_seconds, 0);
  ASSERT_PETSC_OK(observer.Collect(PETSC_COMM_WORLD, &costs));
  EXPECT_TRUE(costs.empty());
}

TEST(LogObserver, ClosesStagesAndEventsThatAnErrorLeftOpen) {
  ASSERT_PETSC_OK(LogObserver::Install());
  PetscLogEvent event;
  PetscLogStage stage;
  PetscStageLog log;
  int before, after;
  ASSERT_PETSC_OK(PetscLogEventGetId("KSPSolve", &event));
  ASSERT_PETSC_OK(PetscLogGetStageLog(&log));
  ASSERT_PETSC_OK(PetscStageLogGetCurrent(log, &before));
  LogObserver observer;
  ASSERT_PETSC_OK(observer.Enter("broken", Phase::kSetup));
  ASSERT_PETSC_OK(PetscLogStageRegister("left open", &stage));
  ASSERT_PETSC_OK(PetscLogStagePush(stage));
  ASSERT_PETSC_OK(PetscLogEventBegin(event, 0, 0, 0, 0));
  ASSERT_PETSC_OK(observer.Leave());
  ASSERT_PETSC_OK(PetscStageLogGetCurrent(log, &after));
  EXPECT_EQ(before, after);
  std::vector<EventCost> costs;
  ASSERT_PETSC_OK(observer.Collect(PETSC_COMM_WORLD, &costs));
}

} // namespace
