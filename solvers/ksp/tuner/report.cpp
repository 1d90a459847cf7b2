#include "solvers/ksp/tuner/report.h"
#include "solvers/ksp/tuner/data.h"
#include <algorithm>

namespace krylearn {
namespace {

/// `options` of a KSP under another prefix; with type and norm, where only the defaults say them.
/// `unread` ones are left out.
std::string UnderPrefix(const std::string &options, const std::string &unread, const std::string &prefix,
                        bool true_residual) {
  const std::vector<std::string> ignored = SplitList(unread, ' ');
  std::string text;
  bool kept = true;
  for (const std::string &word : SplitList(options, ' ')) {
    const bool key = word.size() > 1 && word[0] == '-' && std::isalpha(static_cast<unsigned char>(word[1]));
    if (key) kept = std::find(ignored.begin(), ignored.end(), word) == ignored.end();
    if (kept) text += (text.empty() ? "" : " ") + (key ? "-" + prefix + word.substr(1) : word);
  }
  const auto add = [&](const char *key, const char *value) {
    if (options.find(key) == std::string::npos) text = "-" + prefix + (key + 1) + " " + value + " " + text;
  };
  if (true_residual) add("-ksp_norm_type", "unpreconditioned");
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
  const double total = tuning.Total();
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const bandit::Tuning::Arm &a = tuning.Arms()[i];
    std::string note;
    if (a.dropped) note = "dropped";
    else if (int(i) == best) note = "cheapest";
    if (!a.dropped && int(i) == tuning.Safe()) note += note.empty() ? "safe" : ", safe";
    if (!arms[i].message.empty()) note += (note.empty() ? "" : ": ") + arms[i].message;
    if (a.solves == 0 && !a.dropped && note.empty()) note = "not tried yet: a trial is not expected to pay";
    PetscCall(PetscViewerASCIIPrintf(viewer, "%-*s  %6ld  %7ld  %11.4g  %12.4g  %7ld  %12.1f%%  %10.3f  %s\n", int(width),
                                     arms[i].configuration.name.c_str(), a.solves, a.stopped, unit * a.recent,
                                     unit * a.setup, a.setups, total > 0 ? 100 * a.total / total : 0,
                                     a.dropped ? 0 : chances[i], note.c_str()));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode ReportTuning(KSP ksp) {
  const KSP_Tuner *data = TunerData(ksp);
  const bandit::Tuning &tuning = *data->tuning;
  const std::string prefix = TunerPrefix(ksp);
  const bool by_time = data->loss == TunerLoss::kTime;
  PetscViewer viewer = PETSC_VIEWER_STDOUT_(PetscObjectComm((PetscObject)ksp));
  const int best = tuning.Cheapest();
  const double total = tuning.Total();
  PetscFunctionBegin;
  std::string name = prefix.empty() ? "" : " of -" + prefix;
  if (data->number > 1) name += " (" + std::to_string(data->number) + ")";
  PetscCall(PetscViewerASCIIPrintf(viewer, "Tuner%s: %ld solves, %.4g %s in all; a set-up is expected to last for %.3g solves\n",
                                   name.c_str(), tuning.Solves(), by_time ? total : 1e-9 * total,
                                   by_time ? "s" : "Gflop", tuning.Reuse()));
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(ViewTuning(viewer, data->loss, tuning, data->arms));
  if (best >= 0) {
    const TunerArm &arm = data->arms[std::size_t(best)];
    std::string options, unread;
    PetscCall(EffectiveOptions(arm.configuration, &options));
    PetscCall(UnreadOptions(arm.configuration, &unread));
    PetscCall(PetscViewerASCIIPrintf(viewer, "next time: %s\n", UnderPrefix(options, unread, prefix, arm.true_residual).c_str()));
  }
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(0);
}

} // namespace krylearn
