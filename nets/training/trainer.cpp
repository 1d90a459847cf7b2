#include "nets/training/trainer.h"
#include "meshes/random.h"
#include "nets/model_file.h"
#include "nets/together.h"
#include "nets/training/adam.h"
#include "nets/training/pool.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

enum Stream { kGeometry = 201, kFirstSolve = 202, kValidation = 203 };
constexpr long kMostIterations = 200;         ///< of a validation
constexpr double kTolerance = 1e-6;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string Text(double value, const char *format = "%.4g") {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

class Trainer {
public:
  Trainer(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source)
      : comm_(comm), spec_(spec), source_(source), architecture_(FindArchitecture(spec.architecture)),
        options_(FillOptions(architecture_, spec.options)), dim_(spec.grids.at(0)[2] > 1 ? 3 : 2) {
    MPI_Comm_rank(comm, &rank_);
    MPI_Comm_size(comm, &size_);
    Check();
    net_ = architecture_.make(options_, dim_, spec.seed);
    classical_ = VCycle().make(VCycle().defaults, dim_, 0);
    adam_ = std::make_unique<Adam>(net_->Size(), spec.rate, spec.steps);
  }

  TrainingReport Run() {
    start_ = Now();
    const Model first = Restore();
    Together(comm_, [&] { MakePool(); });
    Together(comm_, [&] { MakeValidation(); });
    Say(std::to_string(net_->Size()) + " parameters; pool of " + std::to_string(spec_.geometries) +
        " geometries made in " + Text(Now() - start_, "%.1f") + " s");
    if (step_ > 0) RestartPool();
    OpenLog();
    loop_start_ = Now();
    if (step_ == 0) Validate();
    last_signal_ = spec_.signal ? int(*spec_.signal) : 0;
    last_checkpoint_ = last_said_ = Now();
    while (step_ < spec_.steps) {
      const bool checkpoint = Step();
      ++step_;
      if (step_ % spec_.validate_every == 0 || step_ == spec_.steps) Validate();
      if (log_) std::fputs("\n", log_.get());
      if (checkpoint && step_ < spec_.steps) Checkpoint();
    }
    TrainingReport report;
    report.steps = step_ - first_step_;
    report.seconds = Now() - start_;
    report.samples_per_second = double(samples_) / std::max(1e-9, training_seconds_);
    report.rows = best_rows_.empty() ? rows_ : best_rows_;
    Publish(report);
    return report;
  }

private:
  void Check() const {
    const auto refuse = [](const std::string &why) { throw std::invalid_argument(why); };
    for (const Index &n : spec_.grids) {
      if ((n[2] > 1 ? 3 : 2) != dim_) refuse("grids of two and of three dimensions in one training");
      if (*std::min_element(n.begin(), n.begin() + dim_) < 4) refuse("a grid of fewer than 4 cells along an axis");
    }
    if (spec_.batch_geometries < 1 || spec_.geometries < spec_.batch_geometries)
      refuse("a step takes " + std::to_string(spec_.batch_geometries) + " geometries of a pool of " +
             std::to_string(spec_.geometries) + "; give 1 up to the pool's");
    if (spec_.batch_geometries < size_)
      refuse("a step takes " + std::to_string(spec_.batch_geometries) + " geometries, too few for " +
             std::to_string(size_) + " ranks; use at most one rank for each");
    if (spec_.batch_right_sides < 1 || spec_.right_sides < spec_.batch_right_sides)
      refuse("a step takes " + std::to_string(spec_.batch_right_sides) + " right-hand sides of " +
             std::to_string(spec_.right_sides) + " a geometry; give 1 up to these");
    if (spec_.steps < 1 || spec_.validate_every < 1 || spec_.validation_geometries < 1)
      refuse("steps, steps between validations and validation geometries: give at least 1 of each");
  }

  void Say(const std::string &line) const {
    if (rank_ == 0 && spec_.say) spec_.say(line);
  }

  /// What has to be equal for a run to go on from a checkpoint.
  std::string Description() const {
    std::string text = "seed " + std::to_string(spec_.seed) + ", steps " + std::to_string(spec_.steps) + ", rate " +
                       Text(spec_.rate, "%.17g") + ", pool " + std::to_string(spec_.geometries) + " x " +
                       std::to_string(spec_.right_sides) + ", batch " + std::to_string(spec_.batch_geometries) + " x " +
                       std::to_string(spec_.batch_right_sides) + ", validation " +
                       std::to_string(spec_.validation_geometries) + " every " + std::to_string(spec_.validate_every) +
                       ", " + Data();
    return text;
  }
  std::string Data() const {
    std::string text;
    for (const std::string &family : spec_.families) text += (text.empty() ? "" : "+") + family;
    for (const Index &n : spec_.grids)
      text += " " + std::to_string(n[0]) + "x" + std::to_string(n[1]) + (dim_ == 3 ? "x" + std::to_string(n[2]) : "");
    return text + (spec_.data.empty() ? "" : " of " + spec_.data);
  }

  /// Starts from a checkpoint or a model where asked.
  Model Restore() {
    Model model;
    if (spec_.resume) {
      model = ReadModel(comm_, spec_.checkpoint);
      const std::string its = model.about["training"];
      if (its != Description() || model.architecture != spec_.architecture || model.options != options_)
        throw std::runtime_error("checkpoint '" + spec_.checkpoint + "' belongs to another training (" +
                                 model.architecture + ", " + its + "), expected " + spec_.architecture + ", " +
                                 Description());
      const std::size_t count = net_->parameters.size();
      if (model.tensors.size() != 2 * count + 2)
        throw std::runtime_error("'" + spec_.checkpoint + "' is no checkpoint of a training, though it may be a model");
      for (std::size_t i = 0; i < count; ++i) net_->parameters[i].second = model.tensors[i].second.clone();
      for (std::size_t i = 0; i < count; ++i) best_.push_back(model.tensors[count + i].second.clone());
      adam_->m = model.tensors[2 * count].second;
      adam_->v = model.tensors[2 * count + 1].second;
      step_ = std::stol(model.about["step"]);
      best_score_ = std::stod(model.about["score"]);
      seconds_before_ = std::stod(model.about["seconds"]);
      for (const char *c = model.about["rows"].c_str(); *c; ++c) {
        TrainingReport::Row row;
        int used = 0;
        if (std::sscanf(c, "%lf %lf %n", &row.median, &row.worst, &used) != 2) break;
        best_rows_.push_back(row);
        c += used - 1;
      }
      Say("going on from step " + std::to_string(step_));
    } else if (!spec_.init.empty()) {
      model = ReadModel(comm_, spec_.init);
      if (model.architecture != spec_.architecture || model.dim != dim_ || model.options != options_)
        throw std::runtime_error("'" + spec_.init + "' is a " + std::to_string(model.dim) + "D model of architecture " +
                                 model.architecture + " or has other options than this training's " +
                                 std::to_string(dim_) + "D " + spec_.architecture);
      net_ = NetOf(model, spec_.init);
    }
    net_->RequireGradients(true);
    return model;
  }

  void MakePool() {
    const long groups = spec_.batch_geometries, families = long(spec_.families.size()),
               grids = long(spec_.grids.size());
    pool_.resize(std::size_t(groups));
    for (long i = 0; i < spec_.geometries; ++i) {
      const long group = i % groups, number = i / groups;
      if (group % size_ != rank_) continue;
      GeometryRequest request;
      request.family = spec_.families[std::size_t(number % families)];
      request.n = spec_.grids[std::size_t(number / families % grids)];
      request.seed = kFirstTrainingSeed + spec_.seed * 100000 + i;
      request.number = number / (families * grids) * groups + group;
      const Geometry geometry = source_(request);
      const auto classical = classical_->Prepare(MakeOperator(geometry, at::kFloat));
      pool_[std::size_t(group)].push_back(
          std::make_unique<LiveGeometry>(geometry, *classical, spec_.right_sides, request.seed));
    }
  }

  void RestartPool() {
    for (std::size_t g = 0; g < pool_.size(); ++g)
      for (std::size_t i = 0; i < pool_[g].size(); ++i)
        pool_[g][i]->Restart(long(SplitMix64(std::uint64_t(step_) * 1000003 + g * 1009 + i) >> 2));
  }

  void MakeValidation() {
    long number = 0;
    for (const std::string &family : spec_.families)
      for (const Index &n : spec_.grids) {
        rows_.push_back({family, n, 0, 0});
        for (long i = 0; i < spec_.validation_geometries; ++i, ++number)
          if (number % size_ == rank_) held_out_.push_back({number, source_({family, n, kFirstValidationSeed + i, i})});
      }
    best_rows_.resize(best_.empty() ? 0 : rows_.size());
    for (std::size_t r = 0; r < best_rows_.size(); ++r)
      best_rows_[r].family = rows_[r].family, best_rows_[r].n = rows_[r].n;
  }

  /// One step of training. True where a checkpoint is due.
  bool Step() {
    const double began = Now();
    ClearGradients(net_.get());
    double loss_sum = 0;
    const long groups = spec_.batch_geometries;
    for (long g = rank_; g < groups; g += size_) {
      auto &group = pool_[std::size_t(g)];
      const std::uint64_t place = std::uint64_t(step_) * std::uint64_t(groups) + std::uint64_t(g);
      const auto pick = std::size_t(Uniform(std::uint64_t(spec_.seed), kGeometry, place) * double(group.size()));
      LiveGeometry &live = *group[pick];
      const long first = long(Uniform(std::uint64_t(spec_.seed), kFirstSolve, place) * double(live.Solves()));
      std::vector<long> chosen;
      for (long i = 0; i < spec_.batch_right_sides; ++i) chosen.push_back((first + i) % live.Solves());
      const auto prepared = net_->Prepare(live.Operator());
      const at::Tensor loss = live.Step(*prepared, chosen) / double(groups);
      loss.backward();
      loss_sum += loss.item<double>();
    }
    // Gradients, loss and whether rank 0 wants a checkpoint, in one message.
    const at::Tensor gradient = FlatGradient(*net_);
    const std::int64_t count = gradient.numel();
    at::Tensor all = at::empty({count + 2}, at::kDouble);
    all.narrow(0, 0, count).copy_(gradient);
    const bool due =
        !spec_.checkpoint.empty() && rank_ == 0 &&
        (Now() - last_checkpoint_ > spec_.checkpoint_seconds || (spec_.signal && *spec_.signal != last_signal_));
    all.data_ptr<double>()[count] = loss_sum;
    all.data_ptr<double>()[count + 1] = due;
    MPI_Allreduce(MPI_IN_PLACE, all.data_ptr<double>(), int(count + 2), MPI_DOUBLE, MPI_SUM, comm_);
    const at::Tensor total = all.narrow(0, 0, count);
    const double loss = all[count].item<double>(), norm = total.norm().item<double>();
    if (std::isfinite(norm)) adam_->Step(step_, total, net_.get());
    else ++skipped_;
    samples_ += groups * spec_.batch_right_sides;
    training_seconds_ += Now() - began;
    Log(loss, norm);
    return all[count + 1].item<double>() > 0;
  }

  void Log(double loss, double norm) {
    smooth_loss_ = smooth_loss_ < 0 ? loss : 0.95 * smooth_loss_ + 0.05 * loss;
    if (rank_ != 0) return;
    const double now = Now();
    if (log_)
      std::fprintf(log_.get(), "%ld,%.1f,%.6g,%.6g,%.6g,", step_ + 1, seconds_before_ + now - start_,
                   adam_->Rate(step_), loss, norm); // Run() ends the row
    if (now - last_said_ < 10 && step_ + 1 < spec_.steps) return;
    last_said_ = now;
    const double each = (now - loop_start_) / double(step_ + 1 - first_step_);
    Say("step " + std::to_string(step_ + 1) + " of " + std::to_string(spec_.steps) + ", loss " + Text(smooth_loss_) +
        ", about " + Text(each * double(spec_.steps - step_ - 1), "%.0f") + " s left");
  }

  void OpenLog() {
    first_step_ = step_;
    if (rank_ != 0 || spec_.log.empty()) return;
    log_.reset(std::fopen(spec_.log.c_str(), spec_.resume ? "a" : "w"));
    if (log_ && !spec_.resume) std::fprintf(log_.get(), "step,seconds,rate,loss,gradient_norm,iterations\n");
  }

  void Validate() {
    const std::size_t count = rows_.size() * std::size_t(spec_.validation_geometries);
    std::vector<double> iterations(count, 0);
    {
      at::NoGradGuard no_gradients;
      for (const auto &item : held_out_) {
        const GridOperator single = MakeOperator(item.second, at::kFloat), op = MakeOperator(item.second, at::kDouble);
        const auto prepared = net_->Prepare(single);
        at::Tensor b = at::empty({1, op.partition.n[2], op.partition.n[1], op.partition.n[0]}, at::kDouble);
        for (std::int64_t i = 0; i < b.numel(); ++i)
          b.data_ptr<double>()[i] = 2 * Uniform(std::uint64_t(item.first), kValidation, std::uint64_t(i)) - 1;
        iterations[std::size_t(item.first)] = double(
            SolveConjugate(op, *prepared, at::kFloat, b * (op.scale > 0), kTolerance, kMostIterations).iterations[0]);
      }
    }
    MPI_Allreduce(MPI_IN_PLACE, iterations.data(), int(count), MPI_DOUBLE, MPI_SUM, comm_);
    double score = 0;
    std::string text;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      auto begin = iterations.begin() + std::ptrdiff_t(r) * spec_.validation_geometries;
      auto end = begin + spec_.validation_geometries;
      for (auto i = begin; i != end; ++i) score += *i / double(count);
      std::sort(begin, end);
      rows_[r].median = *(begin + spec_.validation_geometries / 2);
      rows_[r].worst = *(end - 1);
      text += (r ? ", " : "") + rows_[r].family + " " + std::to_string(rows_[r].n[0]) + ": " + Text(rows_[r].median) +
              " (worst " + Text(rows_[r].worst) + ")";
    }
    Say("step " + std::to_string(step_) + ", iterations to 1e-6 on held-out geometries: " + text);
    if (log_ && step_ > 0) std::fprintf(log_.get(), "%.4f", score);
    if (best_.empty() || score <= best_score_) {
      best_score_ = score;
      best_rows_ = rows_;
      best_.clear();
      for (const auto &p : net_->parameters) best_.push_back(p.second.detach().clone());
    }
  }

  void Checkpoint() {
    if (log_) std::fflush(log_.get());
    Model model = ModelOf(*net_, spec_.architecture, dim_, options_);
    for (std::size_t i = 0; i < best_.size(); ++i)
      model.tensors.push_back({"best:" + net_->parameters[i].first, best_[i]});
    model.tensors.push_back({"adam:m", adam_->m});
    model.tensors.push_back({"adam:v", adam_->v});
    std::string rows;
    for (const auto &row : best_rows_) rows += Text(row.median) + " " + Text(row.worst) + " ";
    model.about = {{"training", Description()},
                   {"step", std::to_string(step_)},
                   {"score", Text(best_score_, "%.17g")},
                   {"seconds", Text(seconds_before_ + Now() - start_, "%.3f")},
                   {"rows", rows}};
    Together(comm_, [&] {
      if (rank_ == 0) WriteModel(spec_.checkpoint, model);
    });
    Say("checkpoint at step " + std::to_string(step_) + ": " + spec_.checkpoint);
    RestartPool(); // so that a run that goes on from here does the same
    last_checkpoint_ = Now();
    last_signal_ = spec_.signal ? int(*spec_.signal) : 0;
  }

  void Publish(const TrainingReport &report) {
    for (std::size_t i = 0; i < best_.size(); ++i) {
      at::NoGradGuard no_gradients;
      net_->parameters[i].second.copy_(best_[i]);
    }
    Model model = ModelOf(*net_, spec_.architecture, dim_, options_);
    model.about = spec_.about;
    model.about["data"] = Data();
    model.about["training"] = Description();
    model.about["seconds"] = Text(seconds_before_ + report.seconds, "%.1f");
    model.about["ranks"] = std::to_string(size_);
    std::string metric;
    for (std::size_t r = 0; r < rows_.size() && r < report.rows.size(); ++r)
      metric += (r ? ", " : "") + rows_[r].family + " " + std::to_string(rows_[r].n[0]) + ": median " +
                Text(report.rows[r].median) + ", worst " + Text(report.rows[r].worst);
    model.about["iterations_to_1e-6"] =
        metric + " (" + std::to_string(spec_.validation_geometries) + " geometries each)";
    Together(comm_, [&] {
      if (rank_ == 0) WriteModel(spec_.output, model);
    });
  }

  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };

  MPI_Comm comm_;
  int rank_ = 0, size_ = 1;
  const TrainingSpec &spec_;
  const GeometrySource &source_;
  const Architecture &architecture_;
  Options options_;
  int dim_;
  std::unique_ptr<Net> net_, classical_;
  std::unique_ptr<Adam> adam_;
  std::vector<std::vector<std::unique_ptr<LiveGeometry>>> pool_; ///< by group; empty for other ranks' groups
  std::vector<std::pair<long, Geometry>> held_out_;
  std::vector<TrainingReport::Row> rows_, best_rows_;
  std::vector<at::Tensor> best_;
  double best_score_ = 0, smooth_loss_ = -1, training_seconds_ = 0, seconds_before_ = 0;
  double start_ = 0, loop_start_ = 0, last_checkpoint_ = 0, last_said_ = 0;
  long step_ = 0, first_step_ = 0, samples_ = 0, skipped_ = 0;
  int last_signal_ = 0;
  std::unique_ptr<std::FILE, Close> log_;
};

} // namespace

TrainingReport Train(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source) {
  return Trainer(comm, spec, source).Run();
}

} // namespace nets
} // namespace krylearn
