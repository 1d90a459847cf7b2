#include "nets/training/trainer.h"
#include "meshes/exact_text.h"
#include "meshes/random.h"
#include "nets/together.h"
#include "nets/training/adam.h"
#include "nets/training/checkpoint.h"
#include "nets/training/held_out.h"
#include "nets/training/loss.h"
#include "nets/training/training_log.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace krylearn {
namespace nets {
namespace {

enum Stream { kGeometry = 201, kGrid = 204 };
constexpr long kMostLost = 50; ///< steps without finite gradients, one after the other, that end a training

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string Text(double value, const char *format = "%.4g") {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// What a network is, in words.
std::string Kind(int dim, const std::string &architecture, const Options &options) {
  std::string text = "a " + std::to_string(dim) + "D " + architecture;
  for (const auto &o : options) text += (o == *options.begin() ? " with " : ", ") + o.first + "=" + o.second;
  return text;
}

/// Where two lists of properties, separated by commas, differ: "these, not those".
std::string Apart(const std::string &one, const std::string &other) {
  const auto missing = [](const std::string &from, const std::string &in) {
    std::string text, item;
    for (std::istringstream items(from); std::getline(items >> std::ws, item, ',');)
      if ((", " + in + ",").find(", " + item + ",") == std::string::npos) text += (text.empty() ? "" : ", ") + item;
    return text.empty() ? "nothing more" : text;
  };
  return missing(one, other) + ", not " + missing(other, one);
}

/// A geometry of the pool, with what is trained on it.
struct Trained {
  GridOperator single, exact; ///< in single and double precision
  std::unique_ptr<Sampler> sampler;
};

class Trainer {
public:
  Trainer(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source)
      : comm_(comm), spec_(spec), source_(source), architecture_(FindArchitecture(spec.architecture)),
        options_(FillOptions(architecture_, spec.options)), dim_(spec.grids.at(0)[2] > 1 ? 3 : 2),
        held_out_(comm, spec), loss_(FindLoss(spec.loss)), sampling_(FindSampling(spec.sampling)) {
    MPI_Comm_rank(comm, &rank_);
    MPI_Comm_size(comm, &size_);
    Check();
    net_ = architecture_.make(options_, dim_, spec.seed);
    classical_ = VCycle().make(VCycle().defaults, dim_, 0);
    adam_ = std::make_unique<Adam>(net_->Size(), spec.rate, spec.steps);
  }

  TrainingReport Run() {
    start_ = Now();
    Restore();
    Together(comm_, [&] { MakePool(); });
    Together(comm_, [&] { held_out_.Make(source_); });
    Say(std::to_string(net_->Size()) + " parameters; pool of " + std::to_string(spec_.geometries) +
        " geometries made in " + Text(Now() - start_, "%.1f") + " s");
    if (spec_.resume) RestorePool(comm_, spec_.checkpoint, Members());
    first_step_ = step_;
    Together(comm_, [&] {
      if (rank_ == 0 && !spec_.log.empty()) log_ = std::make_unique<TrainingLog>(spec_.log, step_);
    });
    loop_start_ = Now();
    if (step_ == 0) {
      TrainingLog::Row row;
      row.seconds = Seconds();
      Validate(&row);
      if (log_) log_->Write(row);
    }
    last_checkpoint_ = last_said_ = Now();
    while (step_ < spec_.steps && !Stalled() && !Lost()) {
      TrainingLog::Row row;
      const bool checkpoint = Step(&row);
      ++step_;
      if (step_ % spec_.validate_every == 0 || step_ == spec_.steps) Validate(&row);
      if (log_) log_->Write(row);
      if (checkpoint && step_ < spec_.steps && lost_ == 0) Checkpoint();
    }
    if (Stalled() && step_ < spec_.steps)
      Say("no gain in " + std::to_string(spec_.patience) + " validations: training ends at step " +
          std::to_string(step_));
    CheckGradients();
    TrainingReport report;
    report.steps = step_ - first_step_;
    report.seconds = Now() - start_;
    report.samples_per_second = double(samples_) / std::max(1e-9, training_seconds_);
    report.rows = best_rows_;
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
    if (sampling_.takes_modes && !spec_.modes)
      refuse(std::string("sampling ") + sampling_.name +
             " takes eigenvectors of the geometries, which a data set has: make one with dataset -ritz 100 "
             "-o FILE and give it with -data FILE");
    if (spec_.patience < 0) refuse("a patience of fewer than 0 validations");
    const long kinds = long(spec_.families.size() * spec_.grids.size());
    if (spec_.geometries / spec_.batch_geometries < kinds)
      refuse("a pool of " + std::to_string(spec_.geometries) + " geometries is too small for " +
             std::to_string(spec_.families.size()) + " problems on " + std::to_string(spec_.grids.size()) +
             " grids where a step takes " + std::to_string(spec_.batch_geometries) + " geometries; give at least " +
             std::to_string(kinds * spec_.batch_geometries));
  }

  /// Refuses to give out what a training leaves that has led out of what numbers hold.
  void CheckGradients() const {
    if (left_out_ > 0) Say(std::to_string(left_out_) + " steps were left out, as their gradients were not finite");
    if (lost_ == 0 && directions_) return;
    const std::string at = " at step " + std::to_string(step_) + ": lower the rate",
                      what = lost_ == 0 ? "the network's directions are no numbers" + at
                                        : "gradients have not been finite in the last " + std::to_string(lost_) +
                                              " steps," + at;
    const bool kept = spec_.keep_last ? directions_ && !Lost() : best_score_ < first_score_;
    if (!kept) throw std::invalid_argument(what);
    Say(what + "; the model is that of step " + std::to_string(best_step_));
  }

  void Say(const std::string &line) const {
    if (rank_ == 0 && spec_.say) spec_.say(line);
  }

  /// What has to be equal for a run to go on from a checkpoint.
  std::string Description() const {
    std::string text = "loss " + spec_.loss + ", sampling " + spec_.sampling + ", seed " + std::to_string(spec_.seed) +
                       ", steps " + std::to_string(spec_.steps) + ", rate " + ExactText(spec_.rate) + ", pool " +
                       std::to_string(spec_.geometries) + " x " + std::to_string(spec_.right_sides) + ", batch " +
                       std::to_string(spec_.batch_geometries) + " x " + std::to_string(spec_.batch_right_sides) +
                       ", validation " + std::to_string(spec_.validation_geometries) + " every " +
                       std::to_string(spec_.validate_every) + ", " + Data();
    return text;
  }
  std::string Data() const {
    std::string text;
    for (const std::string &family : spec_.families) text += (text.empty() ? "" : "+") + family;
    for (const Index &n : spec_.grids)
      text += " " + std::to_string(n[0]) + "x" + std::to_string(n[1]) + (dim_ == 3 ? "x" + std::to_string(n[2]) : "");
    return text + (spec_.data.empty() ? "" : ", " + spec_.data);
  }

  /// Starts from a checkpoint or a model where asked.
  void Restore() {
    Model model;
    if (spec_.resume) {
      model = ReadCheckpoint(comm_, spec_.checkpoint);
      const std::string its = model.about["training"];
      if (its != Description() || model.architecture != spec_.architecture || model.options != options_)
        throw std::invalid_argument("checkpoint '" + spec_.checkpoint + "' is of a training with " +
                                    Apart(Kind(model.dim, model.architecture, model.options) + ", " + its,
                                          Kind(dim_, spec_.architecture, options_) + ", " + Description()));
      const std::size_t count = net_->parameters.size();
      if (model.tensors.size() != 2 * count + 2)
        throw FileError("checkpoint '" + spec_.checkpoint + "' holds " + std::to_string(model.tensors.size()) +
                        " tensors, expected " + std::to_string(2 * count + 2));
      for (std::size_t i = 0; i < count; ++i) net_->parameters[i].second = model.tensors[i].second.clone();
      for (std::size_t i = 0; i < count; ++i) best_.push_back(model.tensors[count + i].second.clone());
      adam_->m = model.tensors[2 * count].second;
      adam_->v = model.tensors[2 * count + 1].second;
      step_ = std::stol(model.about["step"]);
      best_score_ = std::stod(model.about["score"]);
      best_step_ = std::stol(model.about["best_step"]);
      without_gain_ = std::stol(model.about["without_gain"]);
      left_out_ = std::stol(model.about["left_out"]);
      first_score_ = std::stod(model.about["first_score"]);
      for (const char *key : {"init", "init_seconds"})
        if (model.about.count(key)) init_[key] = model.about[key];
      seconds_before_ = std::stod(model.about["seconds"]);
      best_rows_ = held_out_.Rows();
      std::istringstream rows(model.about["rows"]);
      for (auto &row : best_rows_) rows >> row.median >> row.worst;
      Say("going on from step " + std::to_string(step_));
    } else if (!spec_.init.empty()) {
      model = ReadModel(comm_, spec_.init);
      if (model.architecture != spec_.architecture || model.dim != dim_ || model.options != options_)
        throw std::invalid_argument("'" + spec_.init + "' is " + Kind(model.dim, model.architecture, model.options) +
                                    ", but this training's is " + Kind(dim_, spec_.architecture, options_));
      net_ = NetOf(model, spec_.init);
      // The training of a model includes that of the model it began with, and so on.
      init_["init"] = spec_.init.substr(spec_.init.rfind('/') + 1);
      for (const auto &part : {std::make_pair(", ", "training"), std::make_pair("; before that: ", "init")})
        if (model.about.count(part.second)) init_["init"] += part.first + model.about[part.second];
      init_["init_seconds"] =
          Text(std::atof(model.about["seconds"].c_str()) + std::atof(model.about["init_seconds"].c_str()), "%.1f");
    }
    net_->RequireGradients(true);
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
      Trained trained{MakeOperator(geometry, at::kFloat), MakeOperator(geometry, at::kDouble), nullptr};
      const auto classical = classical_->Prepare(trained.single);
      const Modes modes = sampling_.takes_modes ? spec_.modes(request) : Modes{};
      trained.sampler = sampling_.make({trained.exact, *classical, spec_.right_sides, request.seed, modes});
      pool_[std::size_t(group)].push_back(std::move(trained));
    }
  }

  /// The pool in an order that does not depend on ranks.
  std::vector<PoolMember> Members() const {
    const long groups = spec_.batch_geometries;
    std::vector<PoolMember> members;
    for (long i = 0; i < spec_.geometries; ++i) {
      const auto &group = pool_[std::size_t(i % groups)];
      members.push_back(
          {int(i % groups % size_), group.empty() ? nullptr : group[std::size_t(i / groups)].sampler.get()});
    }
    return members;
  }

  /// Which of a group's geometries a step takes. All groups take the same size, so that all ranks have the same work;
  /// problems are mixed.
  std::size_t Pick(long group, std::uint64_t place) const {
    const std::uint64_t seed = std::uint64_t(spec_.seed);
    const auto families = spec_.families.size(), grids = spec_.grids.size();
    const auto grid = std::size_t(Uniform(seed, kGrid, std::uint64_t(step_)) * double(grids));
    std::vector<std::size_t> fitting;
    for (std::size_t i = 0; i < pool_[std::size_t(group)].size(); ++i)
      if (i / families % grids == grid) fitting.push_back(i);
    return fitting[std::size_t(Uniform(seed, kGeometry, place) * double(fitting.size()))];
  }

  /// One step of training. True where a checkpoint is due.
  bool Step(TrainingLog::Row *row) {
    const double began = Now();
    if (spec_.checkpoint.empty() && spec_.signal && *spec_.signal != last_signal_) {
      Say("a signal asks for a checkpoint, but this training has no file for one");
      last_signal_ = int(*spec_.signal);
    }
    ClearGradients(net_.get());
    double loss_sum = 0;
    const long groups = spec_.batch_geometries;
    for (long g = rank_; g < groups; g += size_) {
      const std::uint64_t place = std::uint64_t(step_) * std::uint64_t(groups) + std::uint64_t(g);
      const Trained &trained = pool_[std::size_t(g)][Pick(g, place)];
      const Batch batch = trained.sampler->Draw(spec_.batch_right_sides, place);
      const at::Tensor q = net_->Prepare(trained.single)->Apply(batch.residual);
      const at::Tensor loss = loss_.of(trained.single, batch, q) / double(groups);
      trained.sampler->Advance(q);
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
    const bool fine = std::isfinite(norm);
    if (fine) adam_->Step(step_, total, net_.get());
    lost_ = fine ? 0 : lost_ + 1;
    left_out_ += !fine;
    samples_ += groups * spec_.batch_right_sides;
    training_seconds_ += Now() - began;
    row->step = step_ + 1;
    row->seconds = Seconds();
    row->rate = adam_->Rate(step_);
    row->loss = loss;
    row->gradient_norm = norm;
    Progress(loss);
    return all[count + 1].item<double>() > 0;
  }

  void Progress(double loss) {
    smooth_loss_ = !(smooth_loss_ >= 0) ? loss : 0.95 * smooth_loss_ + 0.05 * loss;
    const double now = Now();
    if (now - last_said_ < 10 && step_ + 1 < spec_.steps) return;
    last_said_ = now;
    const double each = (now - loop_start_) / double(step_ + 1 - first_step_);
    Say("step " + std::to_string(step_ + 1) + " of " + std::to_string(spec_.steps) + ", loss " + Text(smooth_loss_) +
        ", about " + Text(each * double(spec_.steps - step_ - 1), "%.0f") + " s left");
  }

  /// Seconds of training, over all its runs.
  double Seconds() const { return seconds_before_ + Now() - start_; }

  /// Keeps the parameters if they are the best so far, or all that count.
  void Validate(TrainingLog::Row *row) {
    const HeldOut::Score score = held_out_.Measure(*net_);
    row->mean = score.mean;
    row->median = score.median;
    row->worst = score.worst;
    Say("step " + std::to_string(step_) + ", iterations to 1e-6 on held-out geometries: " + Describe(score.rows));
    if (step_ == 0) first_score_ = score.mean;
    // A network whose outputs are no numbers is passed over by the solver, which may do better without.
    directions_ = score.sound;
    const bool sound = lost_ == 0 && score.sound;
    without_gain_ = best_.empty() || (sound && score.mean < best_score_) ? 0 : without_gain_ + 1;
    if (best_.empty() || (sound && score.mean <= best_score_) || spec_.keep_last) {
      best_score_ = score.mean;
      best_step_ = step_;
      best_rows_ = score.rows;
      best_.clear();
      for (const auto &p : net_->parameters) best_.push_back(p.second.detach().clone());
    }
  }
  bool Lost() const { return lost_ >= std::max(1L, std::min(kMostLost, spec_.steps / 2)); }
  bool Stalled() const { return spec_.patience > 0 && without_gain_ >= spec_.patience; }

  void Checkpoint() {
    if (log_) log_->Flush();
    Model model = ModelOf(*net_, spec_.architecture, dim_, options_);
    for (std::size_t i = 0; i < best_.size(); ++i)
      model.tensors.push_back({"best:" + net_->parameters[i].first, best_[i]});
    model.tensors.push_back({"adam:m", adam_->m});
    model.tensors.push_back({"adam:v", adam_->v});
    std::string rows;
    for (const auto &row : best_rows_) rows += ExactText(row.median) + " " + ExactText(row.worst) + " ";
    model.about = init_;
    model.about.insert({{"training", Description()},
                        {"step", std::to_string(step_)},
                        {"score", ExactText(best_score_)},
                        {"best_step", std::to_string(best_step_)},
                        {"without_gain", std::to_string(without_gain_)},
                        {"left_out", std::to_string(left_out_)},
                        {"first_score", ExactText(first_score_)},
                        {"seconds", Text(Seconds(), "%.3f")},
                        {"rows", rows}});
    try {
      WriteCheckpoint(comm_, spec_.checkpoint, model, Members());
      Say("checkpoint at step " + std::to_string(step_) + ": " + spec_.checkpoint);
    } catch (const FileError &e) { Say(std::string(e.what()) + "; training goes on without"); }
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
    model.about.insert(init_.begin(), init_.end());
    model.about["step"] = std::to_string(best_step_);
    model.about["data"] = Data();
    model.about["training"] = Description();
    model.about["seconds"] = Text(Seconds(), "%.1f");
    model.about["ranks"] = std::to_string(size_);
    model.about["iterations"] =
        "to 1e-6, " + std::to_string(spec_.validation_geometries) + " geometries each: " + Describe(report.rows);
    Together(comm_, [&] {
      if (rank_ == 0) WriteModel(spec_.output, model);
    });
  }

  MPI_Comm comm_;
  int rank_ = 0, size_ = 1;
  const TrainingSpec &spec_;
  const GeometrySource &source_;
  const Architecture &architecture_;
  Options options_;
  int dim_;
  std::unique_ptr<Net> net_, classical_;
  std::unique_ptr<Adam> adam_;
  std::vector<std::vector<Trained>> pool_; ///< by group; empty for other ranks' groups
  HeldOut held_out_;
  const Loss &loss_;
  const Sampling &sampling_;
  std::vector<TrainingReport::Row> best_rows_;
  std::vector<at::Tensor> best_;
  double first_score_ = 0, best_score_ = 0; ///< mean iterations, untrained and at best
  double smooth_loss_ = -1, training_seconds_ = 0, seconds_before_ = 0;
  double start_ = 0, loop_start_ = 0, last_checkpoint_ = 0, last_said_ = 0;
  Options init_; ///< what the model says of the one that training began with
  long step_ = 0, first_step_ = 0, best_step_ = 0, samples_ = 0;
  long without_gain_ = 0;        ///< validations up to now, one after the other
  bool directions_ = true;       ///< were numbers, at the last validation
  long lost_ = 0, left_out_ = 0; ///< steps without finite gradients: up to now, one after the other; in all
  int last_signal_ = 0;          ///< signals that have been heeded: one that came before the first step has not
  std::unique_ptr<TrainingLog> log_;
};

} // namespace

TrainingReport Train(MPI_Comm comm, const TrainingSpec &spec, const GeometrySource &source) {
  return Trainer(comm, spec, source).Run();
}

} // namespace nets
} // namespace krylearn
