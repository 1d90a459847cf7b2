#include "solvers/ksp/tuner/report.h"
#include <algorithm>

namespace krylearn {
namespace {

/// `options` of a KSP under another prefix; with a type, where only the default says one.
std::string UnderPrefix(const std::string &options, const std::string &prefix) {
  std::string text;
  for (const std::string &word : SplitList(options, ' ')) {
    const bool key = word.size() > 1 && word[0] == '-' && std::isalpha(static_cast<unsigned char>(word[1]));
    text += (text.empty() ? "" : " ") + (key ? "-" + prefix + word.substr(1) : word);
  }
  const auto add = [&](const char *key, const char *value) {
    if (options.find(key) == std::string::npos) text = "-" + prefix + (key + 1) + " " + value + " " + text;
  };
  add("-ksp_norm_type", "unpreconditioned");
  add("-ksp_type", "cg");
  return text;
}

} // namespace

PetscErrorCode ViewTuning(PetscViewer viewer, TunerLoss loss, const bandit::Tuning &tuning,
                          const std::vector<TunerArm> &arms) {
  const double unit = loss == TunerLoss::kTime ? 1e3 : 1e-6;
  const char *cost = loss == TunerLoss::kTime ? "ms" : "Mflop";
  const std::vector<double> chances = tuning.Probabilities();
  const int best = tuning.Cheapest();
  std::size_t width = 13;
  PetscFunctionBegin;
  for (const TunerArm &arm : arms) width = std::max(width, arm.configuration.name.size());
  PetscCall(PetscViewerASCIIPrintf(viewer, "%-*s  solves  stopped  %5s/solve  %5s/set-up  set-ups  share of cost  chance now\n",
                                   int(width), "configuration", cost, cost));
  double total = 0;
  for (const auto &arm : tuning.Arms()) total += arm.total;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const bandit::Tuning::Arm &a = tuning.Arms()[i];
    std::string note;
    if (a.dropped) note = "dropped";
    else if (int(i) == best) note = "cheapest";
    if (!a.dropped && int(i) == tuning.Safe()) note += note.empty() ? "safe" : ", safe";
    if (!arms[i].message.empty()) note += (note.empty() ? "" : ": ") + arms[i].message;
    PetscCall(PetscViewerASCIIPrintf(viewer, "%-*s  %6ld  %7ld  %11.4g  %12.4g  %7ld  %12.1f%%  %10.3f  %s\n", int(width),
                                     arms[i].configuration.name.c_str(), a.solves, a.stopped, unit * a.recent,
                                     unit * a.setup, a.setups, total > 0 ? 100 * a.total / total : 0,
                                     a.dropped ? 0 : chances[i], note.c_str()));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode ReportTuning(MPI_Comm comm, const std::string &prefix, TunerLoss loss, const bandit::Tuning &tuning,
                            const std::vector<TunerArm> &arms) {
  PetscViewer viewer = PETSC_VIEWER_STDOUT_(comm);
  const int best = tuning.Cheapest();
  PetscFunctionBegin;
  double total = 0;
  for (const auto &arm : tuning.Arms()) total += arm.total;
  PetscCall(PetscViewerASCIIPrintf(viewer, "Tuner%s%s: %ld solves, %.4g %s in all; set-ups last for %.3g solves\n",
                                   prefix.empty() ? "" : " of -", prefix.c_str(), tuning.Solves(),
                                   loss == TunerLoss::kTime ? total : 1e-9 * total,
                                   loss == TunerLoss::kTime ? "s" : "Gflop", tuning.Reuse()));
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(ViewTuning(viewer, loss, tuning, arms));
  if (best >= 0) {
    std::string options;
    PetscCall(EffectiveOptions(arms[std::size_t(best)].configuration, &options));
    PetscCall(PetscViewerASCIIPrintf(viewer, "next time: %s\n", UnderPrefix(options, prefix).c_str()));
  }
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(0);
}

} // namespace krylearn
