// KSPTUNER's settings: setters, options, and the arms and learner that they make.
#include "meshes/files.h"
#include "solvers/ksp/tuner/data.h"
#include "solvers/misspelt_keys.h"
#include "solvers/solver_errors.h"
#include "solvers/solver_state.h"
#include <map>
#include <set>

namespace krylearn {
namespace {

/// Those that need no context, no order of arms and no unit of losses.
constexpr const char *kPolicies[] = {"thompson", "tsallis_rv", "fixed"};
constexpr std::size_t kLongestList = 20000; ///< characters of -ksp_tuner_configs

PetscErrorCode ReadList(KSP ksp, std::vector<Configuration> *list) {
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  std::string text = TunerData(ksp)->configs;
  const std::string base = TunerPrefix(ksp) + "tuner_";
  PetscFunctionBegin;
  PetscCheck(text.find_first_not_of(" ;") != std::string::npos, comm, PETSC_ERR_USER_INPUT,
             "KSPTUNER has no configurations to choose from; give -%sksp_tuner_configs FILE or 'a: -pc_type gamg; "
             "b: -pc_type nmg'",
             TunerPrefix(ksp).c_str());
  std::string file;
  if (text.find(':') == std::string::npos) PetscCall(ReadTextFile(comm, text, &file));
  PetscCheck(text.find(':') != std::string::npos || !file.empty(), comm, PETSC_ERR_USER_INPUT,
             "-%sksp_tuner_configs '%s' is no list 'NAME: -option value; NAME: …', and no file, or an empty one",
             TunerPrefix(ksp).c_str(), text.c_str());
  if (text.find(": ") != std::string::npos || text.find(":-") != std::string::npos) {
    for (char &c : text)
      if (c == ';') c = '\n';
    PetscCall(ParseConfigurations(comm, text, "-" + TunerPrefix(ksp) + "ksp_tuner_configs", list, base));
  } else PetscCall(ReadConfigurations(comm, text, list, base));
  for (const Configuration &c : *list)
    for (const std::string &word : SplitList(c.options, ' '))
      for (const char *key : {"-ksp_rtol", "-ksp_atol", "-ksp_divtol", "-ksp_max_it"})
        PetscCheck(word != key, comm, PETSC_ERR_USER_INPUT,
                   "Configuration %s has %s; tolerances and iterations are those of the solver itself, the same for "
                   "all: give -%s%s outside the list",
                   c.name.c_str(), key, TunerPrefix(ksp).c_str(), key + 1);
  PetscFunctionReturn(0);
}

/// The options of a configuration that make its solver, without those that look at it.
PetscErrorCode DescribeArm(const Configuration &c, std::string *text) {
  std::string options;
  PetscFunctionBegin;
  PetscCall(EffectiveOptions(c, &options));
  *text = c.name + ":";
  bool kept = true;
  for (const std::string &word : SplitList(options, ' ')) {
    if (word[0] == '-' && word.size() > 1 && std::isalpha(static_cast<unsigned char>(word[1])))
      kept = word.find("monitor") == std::string::npos && word.find("view") == std::string::npos &&
             word.find("converged_reason") == std::string::npos;
    if (kept) *text += " " + word;
  }
  PetscFunctionReturn(0);
}

/// Numbers in use, of the tuners with a prefix.
std::set<int> &NumbersOf(const std::string &prefix) {
  static std::map<std::string, std::set<int>> all;
  return all[prefix];
}

void TakeNumber(KSP ksp) {
  int number = 1;
  while (NumbersOf(TunerPrefix(ksp)).count(number)) ++number;
  NumbersOf(TunerPrefix(ksp)).insert(number);
  TunerData(ksp)->number = number;
}

/// A place that cannot be written to is found out before the first solve.
PetscErrorCode CheckSaveFile(KSP ksp) {
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  const std::string path = TunerStateFile(ksp, TunerData(ksp)->save);
  std::string complaint;
  int rank;
  PetscFunctionBegin;
  if (TunerData(ksp)->save.empty()) PetscFunctionReturn(0);
  PetscCall(PrepareFolder(comm, FolderOf(path)));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) complaint = WhyNotWritable(path);
  PetscCall(AgreeOnComplaint(comm, PETSC_ERR_FILE_OPEN, "KSPTUNER cannot save its state as '" + path + "'", complaint));
  PetscFunctionReturn(0);
}

} // namespace

std::string TunerStateFile(KSP ksp, const std::string &path) {
  const int number = TunerData(ksp)->number;
  return number > 1 ? path + "." + std::to_string(number) : path;
}

PetscErrorCode SetTunerState(KSP ksp, const std::string &text, const std::string &origin) {
  PetscFunctionBegin;
  PetscCall(RefuseExceptions(PetscObjectComm((PetscObject)ksp), "KSPTUNER: " + origin, [&] { TunerData(ksp)->tuning->SetState(text); }));
  PetscFunctionReturn(0);
}

PetscErrorCode ReadTunerState(KSP ksp, const std::string &name) {
  const std::string path = TunerStateFile(ksp, name);
  std::string text;
  PetscFunctionBegin;
  PetscCall(ReadTextFile(PetscObjectComm((PetscObject)ksp), path, &text));
  PetscCheck(!text.empty(), PetscObjectComm((PetscObject)ksp), PETSC_ERR_FILE_OPEN,
             "KSPTUNER: state file '%s' does not exist, or is empty", path.c_str());
  PetscCall(SetTunerState(ksp, text, "state file '" + path + "'"));
  PetscFunctionReturn(0);
}

PetscErrorCode ForgetTuning(KSP ksp) {
  KSP_Tuner *data = TunerData(ksp);
  PetscFunctionBegin;
  for (TunerArm &arm : data->arms) {
    // Nobody is to be warned of options of configurations that were never tried, or failed; the report names those
    // that nothing reads.
    PetscCall(MarkOptionsUsed(arm.configuration));
    PetscCall(KSPDestroy(&arm.ksp));
  }
  data->arms.clear();
  data->tuning.reset();
  data->chosen = -1;
  PetscCall(data->inserted.Remove());
  if (data->number > 0) NumbersOf(TunerPrefix(ksp)).erase(data->number);
  data->number = 0;
  if (data->comm != MPI_COMM_NULL) PetscCallMPI(MPI_Comm_free(&data->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeTuning(KSP ksp) {
  KSP_Tuner *data = TunerData(ksp);
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  std::vector<Configuration> list;
  PetscFunctionBegin;
  if (data->tuning) PetscFunctionReturn(0);
  PetscCall(ForgetTuning(ksp)); // what a failure left
  PetscCall(ReadList(ksp, &list));
  PetscCall(data->inserted.Insert(comm, list));
  int safe = data->safe.empty() ? 0 : -1, ranks;
  std::string names, arms;
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string arm;
    PetscCall(DescribeArm(list[i], &arm));
    arms += (i ? "; " : "") + arm;
    names += (i ? ", " : "") + list[i].name;
    if (list[i].name == data->safe) safe = int(i);
  }
  PetscCheck(safe >= 0, comm, PETSC_ERR_USER_INPUT, "KSPTUNER has no configuration '%s' to be the safe one; it has %s",
             data->safe.c_str(), names.c_str());
  data->spec.arms = int(list.size());
  data->spec.fixed_arm = safe;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  char rules[120];
  std::snprintf(rules, sizeof rules, "by %s on %d rank%s, limit %g, safe %s: ", kTunerLosses[int(data->loss)], ranks,
                ranks == 1 ? "" : "s", double(data->limit), list[std::size_t(safe)].name.substr(0, 40).c_str());
  TakeNumber(ksp);
  PetscCall(CheckSaveFile(ksp));
  PetscCall(RefuseExceptions(comm, "KSPTUNER: policy", [&] {
    data->tuning = std::make_unique<bandit::Tuning>(data->spec, rules + arms, safe, data->limit);
  }));
  for (Configuration &c : list) {
    data->arms.emplace_back();
    data->arms.back().configuration = std::move(c);
  }
  PetscCallMPI(MPI_Comm_dup(comm, &data->comm));
  if (!data->load.empty()) PetscCall(ReadTunerState(ksp, data->load));
  PetscFunctionReturn(0);
}

namespace {

PetscErrorCode SetConfigs(KSP ksp, const char *configs) {
  PetscFunctionBegin;
  if (TunerData(ksp)->configs != configs) PetscCall(ForgetTuning(ksp));
  TunerData(ksp)->configs = configs;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetSafe(KSP ksp, const char *name) {
  PetscFunctionBegin;
  if (TunerData(ksp)->safe != name) PetscCall(ForgetTuning(ksp));
  TunerData(ksp)->safe = name;
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
  if (TunerData(ksp)->spec.name != name) PetscCall(ForgetTuning(ksp));
  TunerData(ksp)->spec.name = name;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetLoss(KSP ksp, const char *name) {
  int place;
  PetscFunctionBegin;
  PetscCall(Choose(ksp, "loss", kTunerLosses, name, &place));
  if (TunerData(ksp)->loss != TunerLoss(place)) PetscCall(ForgetTuning(ksp));
  TunerData(ksp)->loss = TunerLoss(place);
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetLimit(KSP ksp, PetscReal limit) {
  PetscFunctionBegin;
  PetscCheck(limit > 1, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPTUNER: stopping at %g times the cheapest cost; give more than 1", double(limit));
  if (TunerData(ksp)->limit != limit) PetscCall(ForgetTuning(ksp));
  TunerData(ksp)->limit = limit;
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetSeed(KSP ksp, PetscInt seed) {
  PetscFunctionBegin;
  if (TunerData(ksp)->spec.seed != std::uint64_t(seed)) PetscCall(ForgetTuning(ksp));
  TunerData(ksp)->spec.seed = std::uint64_t(seed);
  ksp->setupstage = KSP_SETUP_NEW;
  PetscFunctionReturn(0);
}

PetscErrorCode SetReport(KSP ksp, PetscInt solves) {
  PetscFunctionBegin;
  PetscCheck(solves >= -1, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE,
             "KSPTUNER: a report every %" PetscInt_FMT " solves; give at least 1, 0 for one at the end, -1 for none",
             solves);
  TunerData(ksp)->report = solves;
  PetscFunctionReturn(0);
}

PetscErrorCode Load(KSP ksp, const char *path) {
  PetscFunctionBegin;
  TunerData(ksp)->load = path;
  if (TunerData(ksp)->tuning) PetscCall(ReadTunerState(ksp, path));
  PetscFunctionReturn(0);
}

PetscErrorCode Save(KSP ksp, const char *path) {
  PetscFunctionBegin;
  PetscCheck(TunerData(ksp)->tuning, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_WRONGSTATE,
             "KSPTUNER has learnt nothing yet that it could save");
  PetscCall(WriteTextFile(PetscObjectComm((PetscObject)ksp), TunerStateFile(ksp, path), TunerData(ksp)->tuning->State()));
  PetscFunctionReturn(0);
}

PetscErrorCode GetChosen(KSP ksp, const char **chosen, const char **cheapest) {
  const KSP_Tuner *data = TunerData(ksp);
  const auto name = [&](int arm) { return arm < 0 ? "" : data->arms[std::size_t(arm)].configuration.name.c_str(); };
  PetscFunctionBegin;
  *chosen = name(data->chosen);
  *cheapest = name(data->tuning ? data->tuning->Cheapest() : -1);
  PetscFunctionReturn(0);
}

/// All configurations, as in a program that has just started.
PetscErrorCode SetUpAnew(KSP ksp) {
  PetscFunctionBegin;
  for (TunerArm &arm : TunerData(ksp)->arms) {
    PetscCall(KSPDestroy(&arm.ksp));
    arm.generation = -1;
  }
  TunerData(ksp)->operators = {};
  PetscFunctionReturn(0);
}

/// For a checkpoint. Whoever goes on from it has to set all configurations up anew; so must this run, where both are to
/// take the same course.
PetscErrorCode GetLearnt(KSP ksp, std::string *text) {
  KSP_Tuner *data = TunerData(ksp);
  PetscFunctionBegin;
  PetscCall(MakeTuning(ksp));
  *text = data->tuning->State();
  if (data->loss == TunerLoss::kTime) PetscFunctionReturn(0);
  PetscCall(SetUpAnew(ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode SetLearnt(KSP ksp, const std::string &text) {
  PetscFunctionBegin;
  PetscCall(MakeTuning(ksp));
  PetscCall(SetTunerState(ksp, text, "state"));
  PetscCall(SetUpAnew(ksp));
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

} // namespace

PetscErrorCode ComposeTunerSetters(KSP ksp) {
  PetscFunctionBegin;
  for (const auto &setter : kSetters)
    PetscCall(PetscObjectComposeFunction_Private((PetscObject)ksp, setter.name, setter.function));
  PetscFunctionReturn(0);
}

PetscErrorCode DecomposeTunerSetters(KSP ksp) {
  PetscFunctionBegin;
  for (const auto &setter : kSetters) PetscCall(PetscObjectComposeFunction((PetscObject)ksp, setter.name, nullptr));
  PetscFunctionReturn(0);
}

PetscErrorCode KSPSetFromOptions_Tuner(KSP ksp, PetscOptionItems *PetscOptionsObject) {
  KSP_Tuner *data = TunerData(ksp);
  MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  std::vector<char> text(kLongestList);
  PetscBool given;
  PetscFunctionBegin;
  PetscCall(RefuseMisspeltKeys((PetscObject)ksp, "ksp_tuner_",
                               {"configs", "safe", "policy", "loss", "limit", "seed", "report", "state", "save"}));
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
                               "KSPTunerSetLoss", kTunerLosses[int(data->loss)], text.data(), text.size(), &given));
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
  if (given) data->save = text.data();
  PetscOptionsHeadEnd();
  PetscCall(PetscOptionsHasName(nullptr, ((PetscObject)ksp)->prefix, "-pc_type", &given));
  PetscCheck(!given, comm, PETSC_ERR_USER_INPUT,
             "-%spc_type has no meaning beside -%sksp_type tuner; make it one of the configurations",
             TunerPrefix(ksp).c_str(), TunerPrefix(ksp).c_str());
  PetscFunctionReturn(0);
}

} // namespace krylearn

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

} // extern "C"
