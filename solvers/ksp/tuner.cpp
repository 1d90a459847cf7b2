// KSPTUNER: a bandit over whole KSP/PC configurations, by what solves cost.
#include "solvers/ksp/tuner.h"
#include "meshes/files.h"
#include "meshes/log.h"
#include "solvers/ksp/tuner/report.h"
#include "solvers/solver_state.h"
#include <new>
#include <petsc/private/kspimpl.h>
#include <stdexcept>

namespace {

using namespace krylearn;
using End = TunerAttempt::End;
using Outcome = bandit::Tuning::Outcome;

/// Those that need no context, no order of arms and no unit of losses.
const char *const kPolicies[] = {"thompson", "tsallis_rv", "fixed"};
const char *const kLosses[] = {"time", "work"};
constexpr std::size_t kLongestList = 20000; ///< characters of -ksp_tuner_configs

struct KSP_Tuner {
  std::string configs, safe, load, save;
  bandit::PolicySpec spec;
  TunerLoss loss = TunerLoss::kTime;
  PetscReal limit = 2;
  PetscInt report = 0;

  std::vector<TunerArm> arms;
  std::unique_ptr<bandit::Tuning> tuning;
  PetscObjectId generation = 0;                          ///< of operators
  PetscObjectId matrix = 0;                              ///< the one solved with last
  PetscObjectState values = 0;                           ///< and its state
  int chosen = -1;
};

KSP_Tuner *Data(KSP ksp) { return static_cast<KSP_Tuner *>(ksp->data); }

std::string PrefixOf(KSP ksp) {
  const char *prefix = ((PetscObject)ksp)->prefix;
  return prefix ? prefix : "";
}

/// Runs `call`; C++ exceptions become PETSc errors here, at the boundary. They are the same on all ranks.
template <class Call> PetscErrorCode Guarded(KSP ksp, const std::string &what, Call &&call) {
  PetscFunctionBegin;
  try {
    call();
  } catch (const std::exception &e) {
    SETERRQ(PetscObjectComm((PetscObject)ksp), PETSC_ERR_USER_INPUT, "KSPTUNER: %s: %s", what.c_str(), e.what());
  }
  PetscFunctionReturn(0);
}

/// Settings have changed: what has been learnt belongs to others.
PetscErrorCode Forget(KSP ksp) {
  PetscFunctionBegin;
  for (TunerArm &arm : Data(ksp)->arms) PetscCall(KSPDestroy(&arm.ksp));
  Data(ksp)->arms.clear();
  Data(ksp)->tuning.reset();
  Data(ksp)->chosen = -1;
  PetscFunctionReturn(0);
}

PetscErrorCode ReadList(KSP ksp, std::vector<Configuration> *list) {
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  std::string text = Data(ksp)->configs;
  const std::string base = PrefixOf(ksp) + "tuner_";
  PetscFunctionBegin;
  PetscCheck(text.find_first_not_of(" ;") != std::string::npos, comm, PETSC_ERR_USER_INPUT,
             "KSPTUNER has no configurations to choose from; give -%sksp_tuner_configs FILE or 'a: -pc_type gamg; "
             "b: -pc_type nmg'",
             PrefixOf(ksp).c_str());
  if (text.find(": ") != std::string::npos || text.find(":-") != std::string::npos) {
    for (char &c : text)
      if (c == ';') c = '\n';
    PetscCall(ParseConfigurations(comm, text, "-" + PrefixOf(ksp) + "ksp_tuner_configs", list, base));
  } else PetscCall(ReadConfigurations(comm, text, list, base));
  PetscFunctionReturn(0);
}

PetscErrorCode SetState(KSP ksp, const std::string &text, const std::string &origin) {
  PetscFunctionBegin;
  PetscCall(Guarded(ksp, origin, [&] { Data(ksp)->tuning->SetState(text); }));
  PetscFunctionReturn(0);
}

PetscErrorCode ReadState(KSP ksp, const std::string &path) {
  std::string text;
  PetscFunctionBegin;
  PetscCall(ReadTextFile(PetscObjectComm((PetscObject)ksp), path, &text));
  PetscCheck(!text.empty(), PetscObjectComm((PetscObject)ksp), PETSC_ERR_FILE_OPEN,
             "KSPTUNER: state file '%s' does not exist, or is empty", path.c_str());
  PetscCall(SetState(ksp, text, "state file '" + path + "'"));
  PetscFunctionReturn(0);
}

/// The arms and the learner for the settings, if there are none; with the state that the user wants.
PetscErrorCode MakeTuning(KSP ksp) {
  KSP_Tuner *data = Data(ksp);
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  std::vector<Configuration> list;
  PetscFunctionBegin;
  if (data->tuning) PetscFunctionReturn(0);
  PetscCall(ReadList(ksp, &list));
  PetscCall(InsertOptions(comm, list));
  std::string arms, names;
  int safe = data->safe.empty() ? 0 : -1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string options;
    PetscCall(EffectiveOptions(list[i], &options));
    arms += (arms.empty() ? "" : "; ") + list[i].name + ": " + options;
    names += (names.empty() ? "" : ", ") + list[i].name;
    if (list[i].name == data->safe) safe = int(i);
  }
  PetscCheck(safe >= 0, comm, PETSC_ERR_USER_INPUT, "KSPTUNER has no configuration '%s' to be the safe one; it has %s",
             data->safe.c_str(), names.c_str());
  data->spec.arms = int(list.size());
  data->spec.fixed_arm = safe;
  char rules[80];
  std::snprintf(rules, sizeof rules, "by %s, limit %g, safe %s: ", kLosses[int(data->loss)], double(data->limit),
                list[std::size_t(safe)].name.c_str());
  PetscCall(Guarded(ksp, "policy", [&] {
    data->tuning = std::make_unique<bandit::Tuning>(data->spec, rules + arms, safe, data->limit);
  }));
  for (Configuration &c : list) {
    data->arms.emplace_back();
    data->arms.back().configuration = std::move(c);
  }
  if (!data->load.empty()) PetscCall(ReadState(ksp, data->load));
  PetscFunctionReturn(0);
}

/// Called for new operators too.
PetscErrorCode KSPSetUp_Tuner(KSP ksp) {
  PetscFunctionBegin;
  PetscCall(MakeTuning(ksp));
  PetscCall(KSPSetWorkVecs(ksp, 2));
  ++Data(ksp)->generation;
  PetscFunctionReturn(0);
}

/// Whether the matrix is another than in the last solve, in itself or in its values.
PetscErrorCode IsNewMatrix(KSP ksp, bool *is_new) {
  KSP_Tuner *data = Data(ksp);
  Mat P;
  PetscObjectId id;
  PetscObjectState state;
  PetscFunctionBegin;
  PetscCall(KSPGetOperators(ksp, nullptr, &P));
  PetscCall(PetscObjectGetId((PetscObject)P, &id));
  PetscCall(PetscObjectStateGet((PetscObject)P, &state));
  *is_new = data->matrix != 0 && (id != data->matrix || state != data->values);
  data->matrix = id;
  data->values = state;
  PetscFunctionReturn(0);
}

/// r = b − A x and its norm.
PetscErrorCode Residual(KSP ksp, bool zero_guess, Vec r, PetscReal *norm) {
  Mat A;
  PetscFunctionBegin;
  if (zero_guess) PetscCall(VecNorm(ksp->vec_rhs, NORM_2, norm));
  else {
    PetscCall(KSPGetOperators(ksp, &A, nullptr));
    PetscCall(MatMult(A, ksp->vec_sol, r));
    PetscCall(VecAYPX(r, -1, ksp->vec_rhs));
    PetscCall(VecNorm(r, NORM_2, norm));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode Attempt(KSP ksp, int arm, double limit, bool zero_guess, TunerAttempt *attempt) {
  KSP_Tuner *data = Data(ksp);
  TunerArm &a = data->arms[std::size_t(arm)];
  const bool first = !a.ksp;
  PetscFunctionBegin;
  PetscCall(AttemptSolve(ksp, &a, data->generation, data->loss, limit, zero_guess, ksp->work[0], attempt));
  if (attempt->built) data->tuning->SetUp(arm, attempt->setup);
  if (first && attempt->end == End::kConverged) {
    std::string unread;
    PetscCall(UnreadOptions(a.configuration, &unread));
    if (!unread.empty()) a.message = "nothing reads " + unread;
  }
  PetscFunctionReturn(0);
}

/// Leaves the solve to the safe arm, from where the other has brought it if that is of use.
PetscErrorCode Finish(KSP ksp, int arm, const TunerAttempt &left, PetscReal initial, TunerAttempt *attempt) {
  KSP_Tuner *data = Data(ksp);
  TunerArm &a = data->arms[std::size_t(arm)];
  bool zero_guess = false;
  PetscReal norm;
  PetscFunctionBegin;
  PetscCall(PetscInfo(ksp, "Configuration %s gave up after %" PetscInt_FMT " iterations (%s); %s goes on\n",
                      a.configuration.name.c_str(), ksp->its, left.end == End::kStopped ? "too dear" : left.message.c_str(),
                      data->arms[std::size_t(data->tuning->Safe())].configuration.name.c_str()));
  PetscCall(Residual(ksp, false, ksp->work[0], &norm));
  const bool of_use = left.end == End::kStopped ? !PetscIsInfOrNanReal(norm) : norm < initial;
  if (!of_use && ksp->guess_zero) {
    PetscCall(VecSet(ksp->vec_sol, 0));
    zero_guess = true;
  } else if (!of_use) PetscCall(VecCopy(ksp->work[1], ksp->vec_sol));
  ksp->reason = KSP_CONVERGED_ITERATING;
  PetscCall(Attempt(ksp, data->tuning->Safe(), PETSC_INFINITY, zero_guess, attempt));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSolve_Tuner(KSP ksp) {
  KSP_Tuner *data = Data(ksp);
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  bool new_matrix = false;
  PetscReal initial;
  TunerAttempt attempt, rest;
  PetscFunctionBegin;
  ksp->its = 0;
  PetscCall(Residual(ksp, ksp->guess_zero, ksp->work[0], &initial));
  KSPCheckNorm(ksp, initial);
  ksp->rnorm = initial;
  PetscCall(KSPLogResidualHistory(ksp, initial));
  PetscCall(KSPMonitor(ksp, 0, initial));
  PetscCall((*ksp->converged)(ksp, 0, initial, &ksp->reason, ksp->cnvP));
  if (ksp->reason) PetscFunctionReturn(0); // a solve without iterations tells nothing
  if (!ksp->guess_zero) PetscCall(VecCopy(ksp->vec_sol, ksp->work[1]));

  PetscCall(IsNewMatrix(ksp, &new_matrix));
  PetscCall(PetscLogEventBegin(Log().bandit, ksp, 0, 0, 0));
  const int arm = data->chosen = data->tuning->Choose(new_matrix), safe = data->tuning->Safe();
  PetscCall(PetscLogEventEnd(Log().bandit, ksp, 0, 0, 0));
  PetscCall(Attempt(ksp, arm, data->tuning->Limit(arm), ksp->guess_zero, &attempt));
  double cost = attempt.solve;
  bool solved = attempt.end == End::kConverged;
  if (!solved && arm != safe) {
    PetscCall(Finish(ksp, arm, attempt, initial, &rest));
    cost += rest.solve;
    solved = rest.end == End::kConverged;
  }
  const TunerAttempt &last = arm == safe ? attempt : rest;
  PetscCheck(solved || last.end != End::kError, comm, PETSC_ERR_NOT_CONVERGED,
             "KSPTUNER: the safe configuration %s fails: %s; choose another with -%sksp_tuner_safe",
             data->arms[std::size_t(safe)].configuration.name.c_str(), last.message.c_str(), PrefixOf(ksp).c_str());
  // Where the safe one fails as well the system is to blame, not the arm.
  if (!solved) PetscFunctionReturn(0);
  Outcome outcome = Outcome::kSolved;
  if (attempt.end == End::kStopped) outcome = Outcome::kStopped;
  else if (attempt.end != End::kConverged) {
    outcome = Outcome::kFailed;
    data->arms[std::size_t(arm)].message = attempt.message;
  }
  data->tuning->Observe(arm, cost, outcome);
  if (data->report > 0 && data->tuning->Solves() % data->report == 0)
    PetscCall(ReportTuning(comm, PrefixOf(ksp), data->loss, *data->tuning, data->arms));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPView_Tuner(KSP ksp, PetscViewer viewer) {
  const KSP_Tuner *data = Data(ksp);
  PetscBool ascii;
  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  policy %s, seed %d, by %s, solves stopped at %g times the cheapest\n",
                                   data->spec.name.c_str(), int(data->spec.seed), kLosses[int(data->loss)],
                                   double(data->limit)));
  if (!data->tuning) PetscFunctionReturn(0);
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(ViewTuning(viewer, data->loss, *data->tuning, data->arms));
  const int best = data->tuning->Cheapest();
  if (best >= 0 && data->arms[std::size_t(best)].ksp) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "the cheapest:\n"));
    PetscCall(KSPView(data->arms[std::size_t(best)].ksp, viewer));
  }
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(0);
}

PetscErrorCode SetConfigs(KSP ksp, const char *configs) {
  PetscFunctionBegin;
  if (Data(ksp)->configs != configs) PetscCall(Forget(ksp));
  Data(ksp)->configs = configs;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetSafe(KSP ksp, const char *name) {
  PetscFunctionBegin;
  if (Data(ksp)->safe != name) PetscCall(Forget(ksp));
  Data(ksp)->safe = name;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

/// The place of `name` in a list; refuses what is not there.
template <std::size_t N>
PetscErrorCode Choose(KSP ksp, const char *what, const char *const (&list)[N], const char *name, int *place) {
  PetscFunctionBegin;
  std::string known;
  *place = -1;
  for (std::size_t i = 0; i < N; ++i) {
    known += (i ? ", " : "") + std::string(list[i]);
    if (std::string(name) == list[i]) *place = int(i);
  }
  PetscCheck(*place >= 0, PetscObjectComm((PetscObject)ksp), PETSC_ERR_USER_INPUT,
             "KSPTUNER knows no %s '%s'; there are %s", what, name, known.c_str());
  PetscFunctionReturn(0);
}

PetscErrorCode SetPolicy(KSP ksp, const char *name) {
  int place;
  PetscFunctionBegin;
  PetscCall(Choose(ksp, "policy", kPolicies, name, &place));
  if (Data(ksp)->spec.name != name) PetscCall(Forget(ksp));
  Data(ksp)->spec.name = name;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetLoss(KSP ksp, const char *name) {
  int place;
  PetscFunctionBegin;
  PetscCall(Choose(ksp, "loss", kLosses, name, &place));
  if (Data(ksp)->loss != TunerLoss(place)) PetscCall(Forget(ksp));
  Data(ksp)->loss = TunerLoss(place);
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetLimit(KSP ksp, PetscReal limit) {
  PetscFunctionBegin;
  PetscCheck(limit > 1, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPTUNER: stopping at %g times the cheapest cost; give more than 1", double(limit));
  if (Data(ksp)->limit != limit) PetscCall(Forget(ksp));
  Data(ksp)->limit = limit;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetSeed(KSP ksp, PetscInt seed) {
  PetscFunctionBegin;
  if (Data(ksp)->spec.seed != std::uint64_t(seed)) PetscCall(Forget(ksp));
  Data(ksp)->spec.seed = std::uint64_t(seed);
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetReport(KSP ksp, PetscInt solves) {
  PetscFunctionBegin;
  PetscCheck(solves >= -1, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPTUNER: a report every %" PetscInt_FMT " solves; give at least 1, 0 for one at the end, -1 for none",
             solves);
  Data(ksp)->report = solves;
  PetscFunctionReturn(0);
}

PetscErrorCode Load(KSP ksp, const char *path) {
  PetscFunctionBegin;
  Data(ksp)->load = path;
  if (Data(ksp)->tuning) PetscCall(ReadState(ksp, path));
  PetscFunctionReturn(0);
}

PetscErrorCode Save(KSP ksp, const char *path) {
  PetscFunctionBegin;
  PetscCheck(Data(ksp)->tuning, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_WRONGSTATE,
             "KSPTUNER has learnt nothing yet that it could save");
  PetscCall(WriteTextFile(PetscObjectComm((PetscObject)ksp), path, Data(ksp)->tuning->State()));
  PetscFunctionReturn(0);
}

PetscErrorCode GetChosen(KSP ksp, const char **chosen, const char **cheapest) {
  const KSP_Tuner *data = Data(ksp);
  const auto name = [&](int arm) { return arm < 0 ? "" : data->arms[std::size_t(arm)].configuration.name.c_str(); };
  PetscFunctionBegin;
  *chosen = name(data->chosen);
  *cheapest = name(data->tuning ? data->tuning->Cheapest() : -1);
  PetscFunctionReturn(0);
}

PetscErrorCode GetLearnt(KSP ksp, std::string *text) {
  PetscFunctionBegin;
  PetscCall(MakeTuning(ksp));
  *text = Data(ksp)->tuning->State();
  PetscFunctionReturn(0);
}

PetscErrorCode SetLearnt(KSP ksp, const std::string &text) {
  PetscFunctionBegin;
  PetscCall(MakeTuning(ksp));
  PetscCall(SetState(ksp, text, "state"));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSetFromOptions_Tuner(KSP ksp, PetscOptionItems *PetscOptionsObject) {
  KSP_Tuner *data = Data(ksp);
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  std::vector<char> text(kLongestList);
  PetscBool given;
  PetscFunctionBegin;
  PetscOptionsHeadBegin(PetscOptionsObject, "KSPTUNER options");
  PetscCall(PetscOptionsString("-ksp_tuner_configs", "File of configurations, or 'a: -option value; b: -option value'",
                               "KSPTunerSetConfigs", "", text.data(), text.size(), &given));
  PetscCheck(!given || std::string(text.data()).size() + 1 < text.size(), comm, PETSC_ERR_USER_INPUT,
             "-ksp_tuner_configs is longer than %d characters; write the configurations into a file, one a line",
             int(text.size()));
  if (given) PetscCall(KSPTunerSetConfigs(ksp, text.data()));
  PetscCall(PetscOptionsString("-ksp_tuner_safe", "The configuration that finishes what others leave",
                               "KSPTunerSetSafe", "the first", text.data(), text.size(), &given));
  if (given) PetscCall(KSPTunerSetSafe(ksp, text.data()));
  PetscCall(PetscOptionsString("-ksp_tuner_policy", "thompson, tsallis_rv or fixed: how one is chosen",
                               "KSPTunerSetPolicy", data->spec.name.c_str(), text.data(), text.size(), &given));
  if (given) PetscCall(KSPTunerSetPolicy(ksp, text.data()));
  PetscCall(PetscOptionsString("-ksp_tuner_loss", "time: seconds; work: an estimate of flops, for repeatable runs",
                               "KSPTunerSetLoss", kLosses[int(data->loss)], text.data(), text.size(), &given));
  if (given) PetscCall(KSPTunerSetLoss(ksp, text.data()));
  PetscReal limit = data->limit;
  PetscCall(PetscOptionsReal("-ksp_tuner_limit", "Times the cheapest cost at which a solve is stopped",
                             "KSPTunerSetLimit", limit, &limit, &given));
  if (given) PetscCall(KSPTunerSetLimit(ksp, limit));
  PetscInt seed = PetscInt(data->spec.seed), report = data->report;
  PetscCall(PetscOptionsInt("-ksp_tuner_seed", "Seed of everything drawn", "KSPTunerSetSeed", seed, &seed, &given));
  if (given) PetscCall(KSPTunerSetSeed(ksp, seed));
  PetscCall(PetscOptionsInt("-ksp_tuner_report", "A report every N solves; 0: at the end; -1: none",
                            "KSPTunerSetReport", report, &report, &given));
  if (given) PetscCall(KSPTunerSetReport(ksp, report));
  PetscCall(PetscOptionsString("-ksp_tuner_state", "File of what has been learnt before", "KSPTunerLoad", "",
                               text.data(), text.size(), &given));
  if (given) PetscCall(KSPTunerLoad(ksp, text.data()));
  PetscCall(PetscOptionsString("-ksp_tuner_save", "File for what has been learnt, written at the end", "KSPTunerSave",
                               "", text.data(), text.size(), &given));
  if (given) {
    PetscCall(PrepareFolder(comm, FolderOf(text.data())));
    data->save = text.data();
  }
  PetscOptionsHeadEnd();
  PetscCall(PetscOptionsHasName(nullptr, ((PetscObject)ksp)->prefix, "-pc_type", &given));
  PetscCheck(!given, comm, PETSC_ERR_USER_INPUT,
             "-%spc_type has no meaning beside -%sksp_type tuner; make it one of the configurations",
             PrefixOf(ksp).c_str(), PrefixOf(ksp).c_str());
  PetscFunctionReturn(0);
}

/// What has been learnt survives.
PetscErrorCode KSPReset_Tuner(KSP ksp) {
  PetscFunctionBegin;
  for (TunerArm &arm : Data(ksp)->arms) {
    if (arm.ksp) PetscCall(KSPReset(arm.ksp));
    arm.generation = -1;
  }
  PetscFunctionReturn(0);
}

const struct {
  const char *name;
  void (*function)(void);
} kSetters[] = {{"KSPTunerSetConfigs_C", (void (*)(void))SetConfigs},
                {"KSPTunerSetSafe_C", (void (*)(void))SetSafe},
                {"KSPTunerSetPolicy_C", (void (*)(void))SetPolicy},
                {"KSPTunerSetLoss_C", (void (*)(void))SetLoss},
                {"KSPTunerSetLimit_C", (void (*)(void))SetLimit},
                {"KSPTunerSetSeed_C", (void (*)(void))SetSeed},
                {"KSPTunerSetReport_C", (void (*)(void))SetReport},
                {"KSPTunerLoad_C", (void (*)(void))Load},
                {"KSPTunerSave_C", (void (*)(void))Save},
                {"KSPTunerGetChosen_C", (void (*)(void))GetChosen},
                {kGetLearnt, (void (*)(void))GetLearnt},
                {kSetLearnt, (void (*)(void))SetLearnt}};

PetscErrorCode KSPDestroy_Tuner(KSP ksp) {
  KSP_Tuner *data = Data(ksp);
  PetscFunctionBegin;
  if (data->tuning && data->tuning->Solves() > 0) {
    if (!data->save.empty()) PetscCall(Save(ksp, data->save.c_str()));
    if (data->report >= 0)
      PetscCall(ReportTuning(PetscObjectComm((PetscObject)ksp), PrefixOf(ksp), data->loss, *data->tuning, data->arms));
  }
  // Nobody is to be warned of options of configurations that were never tried, or failed.
  for (const TunerArm &arm : data->arms)
    if (arm.message.empty() || arm.message.compare(0, 13, "nothing reads") != 0)
      PetscCall(MarkOptionsUsed(arm.configuration));
  PetscCall(Forget(ksp));
  for (const auto &setter : kSetters) PetscCall(PetscObjectComposeFunction((PetscObject)ksp, setter.name, nullptr));
  delete data;
  ksp->data = nullptr;
  PetscFunctionReturn(0);
}

} // namespace

extern "C" {

PetscErrorCode KSPTunerSetConfigs(KSP ksp, const char *configs) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetConfigs_C", (KSP, const char *), (ksp, configs));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSetSafe(KSP ksp, const char *name) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetSafe_C", (KSP, const char *), (ksp, name));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSetPolicy(KSP ksp, const char *policy) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetPolicy_C", (KSP, const char *), (ksp, policy));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSetLoss(KSP ksp, const char *loss) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetLoss_C", (KSP, const char *), (ksp, loss));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSetLimit(KSP ksp, PetscReal limit) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetLimit_C", (KSP, PetscReal), (ksp, limit));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSetSeed(KSP ksp, PetscInt seed) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetSeed_C", (KSP, PetscInt), (ksp, seed));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSetReport(KSP ksp, PetscInt solves) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSetReport_C", (KSP, PetscInt), (ksp, solves));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerLoad(KSP ksp, const char *path) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerLoad_C", (KSP, const char *), (ksp, path));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerSave(KSP ksp, const char *path) {
  PetscFunctionBegin;
  PetscTryMethod(ksp, "KSPTunerSave_C", (KSP, const char *), (ksp, path));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPTunerGetChosen(KSP ksp, const char **chosen, const char **cheapest) {
  PetscFunctionBegin;
  *chosen = *cheapest = "";
  PetscTryMethod(ksp, "KSPTunerGetChosen_C", (KSP, const char **, const char **), (ksp, chosen, cheapest));
  PetscFunctionReturn(0);
}

/*MC
   KSPTUNER - chooses among complete KSP/PC configurations for every solve, by what solves have cost

   Options Database Keys:
+  -ksp_tuner_configs FILE - the configurations, 'a: -option value; b: -option value' or a file with one a line
.  -ksp_tuner_safe NAME - the one that finishes what others leave (the first)
.  -ksp_tuner_policy thompson - thompson, tsallis_rv or fixed
.  -ksp_tuner_loss time - time: seconds of the slowest rank; work: an estimate of flops, the same in every run
.  -ksp_tuner_limit 2 - times the cheapest cost at which a solve is stopped
.  -ksp_tuner_seed 1 - seed of everything drawn
.  -ksp_tuner_report 0 - a report every N solves; 0: at the end; -1: none
.  -ksp_tuner_state FILE - what has been learnt before
-  -ksp_tuner_save FILE - file for what has been learnt, written when the object is destroyed

   Level: intermediate

   Notes:
   A configuration is what one would give a KSP: -ksp_type (cg by default), -pc_type, and their options, without the
   prefix. Its own prefix is that of this KSP followed by tuner_NAME_, so that -tuner_NAME_ksp_view and the like work,
   and the command line wins over the list. The PC of this KSP is not used. All configurations see the operators, null
   space and DM of this KSP, stop by its tolerances on the true residual, and share its monitors.

   A solve costs its seconds, or its work, plus a share of the configuration's set-up: so much as falls to one solve
   where a matrix is used as often as has been seen. A solve that costs more than -ksp_tuner_limit times the cheapest
   configuration's is stopped, and the safe one goes on from the iterate. So it does where a configuration diverges or
   raises an error; that one is dropped, as is one that has been stopped in each of its first three solves. Whatever
   happens, convergence is judged by the residual b - A x, computed afresh.

   The work of hypre's preconditioners, which PETSc's log does not see, is guessed from the size of the matrix.

   References:
.  M. Khodak, M. K. Jung, B. Wynne, E. Chow, E. Kolemen, PCGBandit: one-shot acceleration of transient PDE solvers via
   online-learned preconditioners, arXiv 2509.08765, 2025

.seealso: `KSPTunerSetConfigs()`, `KSPTunerSetSafe()`, `KSPTunerSetPolicy()`, `KSPTunerSetLoss()`,
          `KSPTunerSetLimit()`, `KSPTunerGetChosen()`, `PCSORBANDIT`
M*/
PetscErrorCode KSPCreate_Tuner(KSP ksp) {
  PC pc;
  PetscFunctionBegin;
  ksp->data = new (std::nothrow) KSP_Tuner;
  PetscCheck(ksp->data, PETSC_COMM_SELF, PETSC_ERR_MEM, "KSPTUNER: out of memory");
  Data(ksp)->spec.name = "thompson";
  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, PC_LEFT, 3));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCNONE));
  ksp->setupnewmatrix = PETSC_TRUE;
  ksp->ops->setup = KSPSetUp_Tuner;
  ksp->ops->solve = KSPSolve_Tuner;
  ksp->ops->reset = KSPReset_Tuner;
  ksp->ops->destroy = KSPDestroy_Tuner;
  ksp->ops->view = KSPView_Tuner;
  ksp->ops->setfromoptions = KSPSetFromOptions_Tuner;
  ksp->ops->buildsolution = KSPBuildSolutionDefault;
  ksp->ops->buildresidual = KSPBuildResidualDefault;
  for (const auto &setter : kSetters)
    PetscCall(PetscObjectComposeFunction_Private((PetscObject)ksp, setter.name, setter.function));
  PetscFunctionReturn(0);
}

} // extern "C"
