#include "solvers/compare/log_observer.h"
#include "meshes/log.h"
#include <algorithm>
#include <array>
#include <cstring>
#include <petsclog.h>

namespace krylearn {
namespace {

using Hook = PetscErrorCode (*)(PetscLogEvent, int, PetscObject, PetscObject, PetscObject, PetscObject);
Hook petsc_begin = nullptr, petsc_end = nullptr;

/// Own times of the events that run between Enter() and Leave().
struct Stopwatch {
  struct Open {
    PetscLogEvent event;
    double nested; ///< seconds of events inside
    double start;
    bool inside;
  };
  std::vector<Open> open;
  std::vector<std::array<double, 2>> own; ///< by event: outside, inside of PCApply
  PetscLogEvent apply = -1;
  int applying = 0; ///< how many PCApply are open
  bool running = false;

  void Begin(PetscLogEvent event) {
    open.push_back({event, 0, MPI_Wtime(), applying > 0});
    if (event == apply) ++applying;
  }
  void End(PetscLogEvent event) {
    // An event left open by an error ends with the one around it.
    while (!open.empty() && open.back().event != event) Close();
    if (!open.empty()) Close();
  }
  void Close() {
    const Open top = open.back();
    open.pop_back();
    const double seconds = MPI_Wtime() - top.start;
    if (top.event == apply) --applying;
    if (std::size_t(top.event) >= own.size()) own.resize(std::size_t(top.event) + 1, {0, 0});
    own[std::size_t(top.event)][top.inside] += seconds - top.nested;
    if (!open.empty()) open.back().nested += seconds;
  }
} watch;

PetscErrorCode OnBegin(PetscLogEvent event, int t, PetscObject a, PetscObject b, PetscObject c, PetscObject d) {
  if (watch.running) watch.Begin(event);
  return petsc_begin(event, t, a, b, c, d);
}

PetscErrorCode OnEnd(PetscLogEvent event, int t, PetscObject a, PetscObject b, PetscObject c, PetscObject d) {
  const PetscErrorCode code = petsc_end(event, t, a, b, c, d);
  if (watch.running) watch.End(event);
  return code;
}

bool StartsWith(const std::string &text, const char *start) { return text.compare(0, std::strlen(start), start) == 0; }

bool IsReduction(const std::string &e) {
  for (const char *name : {"VecDot", "VecTDot", "VecMDot", "VecMTDot", "VecNorm", "VecReduce", "KSPGMRESOrthog"})
    if (StartsWith(e, name)) return true;
  return false;
}

} // namespace

const std::vector<std::string> &EventCategories() {
  static const std::vector<std::string> all = {"set-up",     "MatMult", "preconditioner", "smoother", "transfer",
                                               "factor solve", "reductions", "vectors", "halos", "network", "other"};
  return all;
}

const char *EventCategory(const std::string &e, bool inside) {
  if (StartsWith(e, "krylearn_network")) return "network";
  if (StartsWith(e, "VecScatter") || StartsWith(e, "SF") || e == "krylearn_halo") return "halos";
  if (IsReduction(e)) return "reductions";
  if (e == "PCApply" || e == "PCApplyCoarse" || e == "PCApplyMultiple" || StartsWith(e, "PCApplySym"))
    return inside ? "smoother" : "preconditioner";
  for (const char *name : {"MatSolve", "MatForwardSolve", "MatBackwardSolve"})
    if (StartsWith(e, name)) return "factor solve";
  if (!inside) {
    if (StartsWith(e, "MatMult") || e == "MatResidual") return "MatMult";
    return StartsWith(e, "Vec") ? "vectors" : "other";
  }
  for (const char *name : {"MatMultAdd", "MatMultTr", "MatInterp", "MatRestrict", "MGInterp"})
    if (StartsWith(e, name)) return "transfer";
  for (const char *name : {"MatMult", "MatSOR", "MatResidual", "Vec", "KSPSolve", "MGSmooth", "MGResid"})
    if (StartsWith(e, name)) return "smoother";
  return "preconditioner";
}

PetscErrorCode LogObserver::Install() {
  PetscFunctionBeginUser;
  if (petsc_begin) PetscFunctionReturn(0);
  PetscBool active;
  PetscCall(PetscLogIsActive(&active));
  if (!active) PetscCall(PetscLogDefaultBegin());
  petsc_begin = PetscLogPLB;
  petsc_end = PetscLogPLE;
  // -log_view :FILE:ascii_xml, -log_trace and others put handlers of their own there, which count nothing.
  PetscLogEvent event;
  PetscEventPerfInfo before, after;
  PetscLogStage stage;
  PetscStageLog log;
  PetscCall(PetscLogGetStageLog(&log));
  PetscCall(PetscStageLogGetCurrent(log, &stage));
  PetscCall(PetscLogEventGetId("krylearn_halo", &event));
  PetscCall(PetscLogEventGetPerfInfo(stage, event, &before));
  PetscCall(petsc_begin(event, 0, nullptr, nullptr, nullptr, nullptr));
  PetscCall(petsc_end(event, 0, nullptr, nullptr, nullptr, nullptr));
  PetscCall(PetscLogEventGetPerfInfo(stage, event, &after));
  PetscCheck(after.count > before.count, PETSC_COMM_WORLD, PETSC_ERR_USER_INPUT,
             "compare reads PETSc's default log, which -log_view :FILE:ascii_xml, -log_trace and -log_mpe replace; "
             "leave them out, or take -log_view or -log_view :FILE:ascii_csv");
  PetscCall(PetscLogSet(OnBegin, OnEnd));
  PetscFunctionReturn(0);
}

PetscErrorCode LogObserver::Enter(const std::string &stage, Phase phase) {
  PetscFunctionBeginUser;
  phase_ = phase;
  PetscCall(EnterLogStage(stage.c_str()));
  PetscCall(PetscLogStageGetId(stage.c_str(), &stage_));
  PetscCall(PetscLogEventGetId("PCApply", &watch.apply));
  PetscStageLog log;
  PetscCall(PetscLogGetStageLog(&log));
  before_.assign(std::size_t(log->eventLog->numEvents), Counts());
  for (std::size_t e = 0; e < before_.size(); ++e) {
    PetscEventPerfInfo info;
    PetscCall(PetscLogEventGetPerfInfo(stage_, PetscLogEvent(e), &info));
    before_[e] = {{0, 0},     double(info.count),  info.time,          info.flops, info.numMessages,
                  info.messageLength, info.numReductions};
  }
  watch.open.clear();
  watch.applying = 0;
  watch.own.assign(before_.size(), {0, 0});
  watch.running = true;
  PetscFunctionReturn(0);
}

PetscErrorCode LogObserver::Leave() {
  PetscFunctionBeginUser;
  watch.running = false;
  PetscStageLog log;
  PetscCall(PetscLogGetStageLog(&log));
  if (!watch.open.empty()) {
    // An error has left events open, and others switched off by whoever was about to switch them on again.
    while (!watch.open.empty()) {
      PetscCall(petsc_end(watch.open.back().event, 0, nullptr, nullptr, nullptr, nullptr));
      watch.Close();
    }
    for (int e = 0; e < log->eventLog->numEvents; ++e)
      for (int s = 0; s < log->numStages; ++s)
        log->stageInfo[s].eventLog->eventInfo[std::min(e, log->stageInfo[s].eventLog->numEvents - 1)].active =
            PETSC_TRUE;
  }
  // A failed solver may leave stages of its own open.
  PetscLogStage current;
  for (;;) {
    PetscCall(PetscStageLogGetCurrent(log, &current));
    if (current < 0) break;
    PetscCall(PetscLogStagePop());
    if (current == stage_) break;
  }
  std::vector<Counts> &into = counts_[int(phase_)];
  into.resize(std::max(into.size(), std::size_t(log->eventLog->numEvents)));
  before_.resize(into.size());
  watch.own.resize(into.size(), {0, 0});
  for (std::size_t e = 0; e < into.size(); ++e) {
    PetscEventPerfInfo info;
    PetscCall(PetscLogEventGetPerfInfo(stage_, PetscLogEvent(e), &info));
    Counts &c = into[e];
    const Counts &b = before_[e];
    for (int inside = 0; inside < 2; ++inside) c.own[inside] += watch.own[e][std::size_t(inside)];
    c.count += info.count - b.count;
    c.seconds += info.time - b.seconds;
    c.flops += info.flops - b.flops;
    c.messages += info.numMessages - b.messages;
    c.bytes += info.messageLength - b.bytes;
    c.reductions += info.numReductions - b.reductions;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode LogObserver::Collect(MPI_Comm comm, std::vector<EventCost> *costs) {
  PetscFunctionBeginUser;
  costs->clear();
  PetscStageLog log;
  PetscCall(PetscLogGetStageLog(&log));
  // Events are registered alike on all ranks; where some are not, only the common ones are looked at.
  int events = log->eventLog->numEvents, ranks;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &events, 1, MPI_INT, MPI_MIN, comm));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  for (int p = 0; p < 2; ++p) {
    counts_[p].resize(std::size_t(std::max(events, log->eventLog->numEvents)));
    std::vector<double> sums, maxima;
    for (int e = 0; e < events; ++e) {
      const Counts &c = counts_[p][std::size_t(e)];
      for (const double v : {c.own[0], c.own[1], c.flops, c.messages, c.bytes}) sums.push_back(v);
      for (const double v : {c.count, c.seconds, c.reductions}) maxima.push_back(v);
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums.data(), int(sums.size()), MPI_DOUBLE, MPI_SUM, comm));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, maxima.data(), int(maxima.size()), MPI_DOUBLE, MPI_MAX, comm));
    for (int e = 0; e < events; ++e) {
      const double *sum = &sums[std::size_t(5 * e)], *most = &maxima[std::size_t(3 * e)];
      if (most[0] == 0 && sum[0] + sum[1] == 0) continue;
      const std::string name = log->eventLog->eventInfo[e].name;
      // One row inside and one outside of PCApply; PETSc's own figures go with the larger of the two.
      const int main = sum[1] > sum[0];
      for (int inside = 0; inside < 2; ++inside) {
        if (inside != main && sum[inside] == 0) continue;
        EventCost cost;
        cost.phase = Phase(p);
        cost.event = name;
        cost.category = Phase(p) == Phase::kSetup ? "set-up" : EventCategory(name, inside);
        cost.own_seconds = sum[inside] / ranks;
        if (inside == main) {
          cost.flops = sum[2];
          cost.messages = sum[3];
          cost.bytes = sum[4];
          cost.count = most[0];
          cost.seconds = most[1];
          cost.reductions = most[2];
        }
        costs->push_back(cost);
      }
    }
    counts_[p].clear();
  }
  PetscFunctionReturn(0);
}

} // namespace krylearn
