// Compares solver configurations side by side on equal terms, and merges earlier reports and PETSc logs.
#include "apps/app.h"
#include "meshes/files.h"
#include "solvers/compare/comparison.h"
#include "solvers/compare/report.h"
#include "solvers/compare/tables.h"

using namespace krylearn;

namespace {

const char help[] = R"(compare: solver configurations side by side, on equal terms.

  compare -problem NAMES -grid nx,ny[,nz] -seeds 1,2,3 -config 'NAME: -ksp_type cg -pc_type gamg' [-config ...]
  compare -sequence heat|FOLDER ...        related systems one after the other, as a simulation solves them
  compare -merge 'logs/*.csv'              earlier reports and logs of any PETSc program (-log_view :FILE:ascii_csv)

All configurations solve the same systems from a zero guess to the same true relative residual, which compare computes
afresh after each solve; one that misses it is marked and not ranked. Unless a configuration says otherwise it is CG that
stops on the true residual. Each has the options prefix NAME_ and a log stage NAME.

  mpirun -n 2 compare -problem box,obstacles -grid 64,64,64:128,128,128 -seeds 1,2,3 \
    -configs data/compare/baselines.cfg -report out/baselines
  compare -problem darcy -grid 256,256 -config 'cg: -pc_type none' -config 'gamg: -pc_type gamg' -cg_ksp_monitor

)";

struct Settings {
  std::vector<Configuration> configurations;
  std::vector<ProblemSpec> problems; ///< in the order of grids, problems, seeds
  std::string matrix, rhs, sequence, merge, report;
  Rules rules;
  PetscInt rounds = 1, solves = 2, nx = 50, steps = 0;
  bool relative = false;
};

/// All values of a key that may stand on the command line several times, of which PETSc's database keeps the last. In an
/// options file it can stand once, and counts where the command line has none.
PetscErrorCode AllValues(const std::string &key, const std::string &last, bool given, std::vector<std::string> *values) {
  PetscFunctionBeginUser;
  int count;
  char **words;
  PetscCall(PetscGetArgs(&count, &words));
  for (int i = 1; i + 1 < count; ++i)
    if (words[i] == key) values->push_back(words[i + 1]);
  if (given && values->empty()) values->push_back(last);
  PetscFunctionReturn(0);
}

/// What is given twice, or nothing.
template <class T> const T *Repeated(const std::vector<T> &list) {
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (list[i] == list[j]) return &list[i];
  return nullptr;
}

PetscErrorCode ReadProblems(MPI_Comm comm, Settings *s) {
  PetscFunctionBeginUser;
  OptionReader options(comm, "Problems");
  std::string names = "obstacles", grids = "64,64,64";
  PetscInt seeds[100] = {1}, count = 100;
  ProblemSpec spec;
  PetscCall(options.String("problem", "named problems, separated by commas (see poisson)", &names));
  PetscCall(options.String("grid", "grids nx,ny or nx,ny,nz, separated by colons", &grids));
  PetscBool given;
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-seeds", &given));
  PetscCall(options.Ints("seeds", "seeds of the problems, separated by commas (1)", seeds, &count));
  PetscCheck(!given || count > 0, comm, PETSC_ERR_USER_INPUT, "-seeds: give at least one seed, such as -seeds 1,2,3");
  if (!given) count = 1;
  PetscCall(ReadProblemParameters(&options, &spec));
  std::vector<Int3> sizes;
  PetscCall(ParseGrids(comm, grids, &sizes));
  const std::vector<std::string> wanted = SplitList(names, ',');
  PetscCheck(!wanted.empty(), comm, PETSC_ERR_USER_INPUT, "-problem: give at least one name");
  PetscCall(CheckProblemNames(comm, wanted));
  const std::vector<PetscInt> all_seeds(seeds, seeds + count);
  PetscCheck(!Repeated(wanted), comm, PETSC_ERR_USER_INPUT, "-problem: %s stands there twice", Repeated(wanted)->c_str());
  PetscCheck(!Repeated(sizes), comm, PETSC_ERR_USER_INPUT, "-grid: %s stands there twice",
             GridSize(*Repeated(sizes)).c_str());
  PetscCheck(!Repeated(all_seeds), comm, PETSC_ERR_USER_INPUT, "-seeds: %" PetscInt_FMT " stands there twice",
             *Repeated(all_seeds));
  for (const Int3 &cells : sizes)
    for (const std::string &name : wanted)
      for (PetscInt i = 0; i < count; ++i) {
        spec.name = name;
        spec.cells = cells;
        spec.seed = seeds[i];
        s->problems.push_back(spec);
      }
  PetscFunctionReturn(0);
}

PetscErrorCode CheckSettings(MPI_Comm comm, const Settings &s) {
  PetscFunctionBeginUser;
  PetscCheck(s.matrix.empty() == s.rhs.empty(), comm, PETSC_ERR_USER_INPUT, "-mat and -rhs go together");
  PetscCheck(s.matrix.empty() || s.sequence.empty(), comm, PETSC_ERR_USER_INPUT, "Give either -mat or -sequence");
  PetscCheck(s.steps >= 0, comm, PETSC_ERR_USER_INPUT, "-steps: give a number of systems, or 0");
  if (!s.matrix.empty() || !s.sequence.empty())
    for (const char *key : {"-problem", "-grid", "-seeds", "-solves"}) {
      PetscBool given;
      PetscCall(PetscOptionsHasName(nullptr, nullptr, key, &given));
      PetscCheck(!given, comm, PETSC_ERR_USER_INPUT, "%s belongs to named problems; leave it out beside -%s", key,
                 s.matrix.empty() ? "sequence" : "mat");
    }
  PetscCheck(s.rules.rtol > 0 && s.rules.rtol < 1, comm, PETSC_ERR_USER_INPUT, "-rtol %.6g: give a value between 0 and 1",
             s.rules.rtol);
  PetscCheck(s.rules.max_iterations >= 1, comm, PETSC_ERR_USER_INPUT, "-max_it: give at least 1");
  PetscCheck(s.rules.time_limit >= 0, comm, PETSC_ERR_USER_INPUT, "-time_limit: give seconds, or 0 for none");
  PetscCheck(s.rounds >= 1, comm, PETSC_ERR_USER_INPUT, "-rounds: give at least 1");
  PetscCheck(s.solves >= 1, comm, PETSC_ERR_USER_INPUT, "-solves: give at least 1");
  PetscCheck(!s.configurations.empty(), comm, PETSC_ERR_USER_INPUT,
             "No configuration to compare; give -config 'NAME: -ksp_type cg -pc_type gamg' or -configs FILE, such as "
             "data/compare/baselines.cfg");
  PetscFunctionReturn(0);
}

PetscErrorCode ReadSettings(MPI_Comm comm, Settings *s) {
  PetscFunctionBeginUser;
  std::string files, config, only;
  bool config_given, files_given, only_given;
  PetscCall(ReadProblems(comm, s));
  OptionReader systems(comm, "Other systems");
  PetscCall(systems.String("mat", "matrix to read instead, PETSc binary", &s->matrix));
  PetscCall(systems.String("rhs", "right-hand side that belongs to -mat, PETSc binary", &s->rhs));
  PetscCall(systems.String("sequence", "heat, or a folder that fluid -capture has written", &s->sequence));
  PetscCall(systems.Int("nx", "-sequence heat: cells along each side, (nx - 1)^2 unknowns", &s->nx));
  PetscCall(systems.Int("steps", "-sequence: number of systems, 0: heat 200, a folder all", &s->steps));
  OptionReader options(comm, "Configurations and rules");
  PetscCall(options.String("config", "'NAME: -option value ...'; may be given many times", &config, &config_given));
  PetscCall(options.String("configs", "files of configurations, one a line, separated by commas", &files,
                           &files_given));
  PetscCall(options.String("only", "names of the configurations to run, separated by commas", &only, &only_given));
  PetscCall(options.Real("rtol", "true relative residual that every solution must reach; captured systems have "
                         "a residual of their own unless it is given", "1", &s->rules.rtol,
                         &s->relative));
  PetscCall(options.Int("max_it", "iterations after which a solver has failed", &s->rules.max_iterations));
  PetscCall(options.Real("time_limit", "seconds after which a solve is stopped and not ranked, 0: none", "s",
                         &s->rules.time_limit));
  PetscCall(options.Int("rounds", "how often each configuration visits each system", &s->rounds));
  PetscCall(options.Int("solves", "right-hand sides a visit, solved with one set-up", &s->solves));
  OptionReader output(comm, "Output");
  PetscCall(output.String("report", "folder for CSV files and a page to look at, report.html", &s->report));
  PetscCall(output.String("merge", "files to merge instead of measuring; wildcards in quotes", &s->merge));
  if (HelpWanted()) PetscFunctionReturn(0);
  std::vector<std::string> lists, lines;
  PetscCall(AllValues("-configs", files, files_given, &lists));
  PetscCall(AllValues("-config", config, config_given, &lines));
  PetscCheck(s->merge.empty() || (lists.empty() && lines.empty()), comm, PETSC_ERR_USER_INPUT,
             "-merge measures nothing; leave -config and -configs out");
  if (!s->merge.empty()) PetscFunctionReturn(0);
  for (const std::string &list : lists)
    for (const std::string &file : SplitList(list, ',')) PetscCall(ReadConfigurations(comm, file, &s->configurations));
  for (const std::string &line : lines) PetscCall(ParseConfigurations(comm, line, "-config", &s->configurations));
  if (only_given) PetscCall(SelectConfigurations(comm, only, &s->configurations));
  PetscCall(CheckSettings(comm, *s));
  PetscFunctionReturn(0);
}

/// One line a visit, so that long comparisons show where they are.
class Progress {
public:
  Progress(MPI_Comm comm, std::size_t visits) : comm_(comm), visits_(visits) {}
  PetscErrorCode operator()(const VisitRow &v) {
    PetscFunctionBeginUser;
    const std::string result = v.status == "ok" ? "" : "  " + v.status + ": " + v.message;
    PetscCall(PetscPrintf(comm_, "[%zu/%zu] %s%s%s, seed %" PetscInt_FMT ", round %" PetscInt_FMT "  %-16s %5.6g its  "
                          "set-up %s s  solve %s s%s\n", ++done_, visits_, v.workload.c_str(),
                          v.grid.empty() ? "" : " ", v.grid.c_str(), v.seed, v.repeat + 1, v.configuration.c_str(),
                          v.ShownIterations(), Short(v.setup_seconds).c_str(), Short(v.solve_seconds).c_str(),
                          result.c_str()));
    PetscFunctionReturn(0);
  }

private:
  MPI_Comm comm_;
  std::size_t visits_, done_ = 0;
};

/// Prints all tables and writes the report, if one is wanted.
PetscErrorCode Publish(MPI_Comm comm, const std::string &folder, const Records &records,
                       const std::vector<LogFile> &logs = {}, const std::vector<std::string> &sources = {}) {
  PetscFunctionBeginUser;
  const std::vector<Summary> summaries = Summarise(records.visits);
  for (const Summary &summary : summaries) {
    PetscCall(PetscPrintf(comm, "\n%s", ResultText(summary).c_str()));
    const std::string breakdown = BreakdownText(summary, records.events);
    if (!breakdown.empty()) PetscCall(PetscPrintf(comm, "\n%s", breakdown.c_str()));
  }
  for (const LogFile &log : logs) PetscCall(PetscPrintf(comm, "\n%s", LogText(log).c_str()));
  for (const std::string &text : {ScalingText(ScalingTable(summaries)), LogScalingText(logs)})
    if (!text.empty()) PetscCall(PetscPrintf(comm, "\n%s", text.c_str()));
  if (folder.empty()) PetscFunctionReturn(0);
  std::string notice;
  PetscCall(WriteReport(comm, folder, records, logs, sources));
  PetscCall(DrawReport(comm, folder, &notice));
  PetscCall(PetscPrintf(comm, "\nreport            %s/report.html\n", folder.c_str()));
  if (!notice.empty()) PetscCall(PetscPrintf(comm, "notice            %s\n", notice.c_str()));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeWorkload(MPI_Comm comm, const Settings &s, std::size_t number, std::unique_ptr<Workload> *workload) {
  PetscFunctionBeginUser;
  if (s.sequence == "heat") PetscCall(MakeHeatWorkload(comm, s.nx, s.steps ? s.steps : 200, workload));
  else if (!s.sequence.empty()) PetscCall(MakeCapturedWorkload(comm, s.sequence, s.steps, s.relative, workload));
  else if (!s.matrix.empty()) PetscCall(MakeFileWorkload(comm, s.matrix, s.rhs, workload));
  else PetscCall(MakeProblemWorkload(comm, s.problems[number], s.solves, workload));
  PetscFunctionReturn(0);
}

PetscErrorCode Compare(MPI_Comm comm, const Settings &s) {
  PetscFunctionBeginUser;
  const bool single = !s.sequence.empty() || !s.matrix.empty();
  const std::size_t workloads = single ? 1 : s.problems.size();
  Comparison comparison(comm, s.configurations, s.rules, s.rounds);
  if (!s.report.empty()) PetscCall(PrepareReport(comm, s.report));
  PetscCall(comparison.Prepare());
  // A long comparison that is killed leaves what it has.
  comparison.on_round = [&]() -> PetscErrorCode {
    PetscFunctionBeginUser;
    if (!s.report.empty()) PetscCall(WriteReport(comm, s.report, comparison.Result()));
    PetscFunctionReturn(0);
  };
  comparison.on_visit = Progress(comm, workloads * std::size_t(s.rounds) * s.configurations.size());
  for (std::size_t i = 0; i < workloads; ++i) {
    std::unique_ptr<Workload> workload;
    PetscCall(MakeWorkload(comm, s, i, &workload));
    // Misspelt keys are refused before the first solve; those of the solvers are known only after it.
    if (i == 0) PetscCall(RefuseMisspeltOptions(comm));
    PetscCall(comparison.Run(workload.get()));
    PetscCall(workload->Destroy());
  }
  PetscCall(Publish(comm, s.report, comparison.Result()));
  PetscFunctionReturn(0);
}

PetscErrorCode Merge(MPI_Comm comm, const Settings &s) {
  PetscFunctionBeginUser;
  Records records;
  std::vector<LogFile> logs;
  PetscCall(RefuseMisspeltOptions(comm));
  std::vector<std::string> sources;
  PetscCall(ReadForMerge(comm, s.merge, &records, &logs, &sources));
  for (const std::string &source : sources)
    PetscCheck(FolderOf(source) != s.report, comm, PETSC_ERR_USER_INPUT,
               "-report %s: the merged files lie there and would be overwritten; choose another folder",
               s.report.c_str());
  if (!s.report.empty()) PetscCall(PrepareReport(comm, s.report));
  PetscCall(Publish(comm, s.report, records, logs, sources));
  PetscFunctionReturn(0);
}

PetscErrorCode Body(MPI_Comm comm) {
  PetscFunctionBeginUser;
  Settings settings;
  int count;
  char **words;
  PetscCall(PetscGetArgs(&count, &words));
  if (count < 2 && !HelpWanted()) {
    PetscCall(PetscPrintf(comm, "%s\nAll options: compare -help\n", help));
    PetscFunctionReturn(0);
  }
  PetscCall(ReadSettings(comm, &settings));
  if (HelpWanted()) PetscFunctionReturn(0);
  if (settings.merge.empty()) PetscCall(Compare(comm, settings));
  else PetscCall(Merge(comm, settings));
  PetscFunctionReturn(0);
}

} // namespace

int main(int argc, char **argv) { return RunApp(argc, argv, help, Body); }
