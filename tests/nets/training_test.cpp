// Losses, samplings, the trainer and its log.
#include "meshes/random.h"
#include "nets/model_file.h"
#include "nets/training/checkpoint.h"
#include "nets/training/conjugate.h"
#include "nets/training/loss.h"
#include "nets/training/trainer.h"
#include "nets/training/training_log.h"
#include "solvers/training_geometry.h"
#include "tests/nets/parts.h"
#include "tests/scratch_folder.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

using namespace krylearn::nets;
using namespace krylearn_test;

namespace {

Geometry SomeGeometry(const std::string &family = "obstacles") {
  return krylearn::TrainingGeometries({})({family, {14, 12, 1}, kFirstTrainingSeed, 0});
}

/// A geometry with everything that samplers and losses take, on each rank for itself.
struct Setting {
  GridOperator single, exact;
  std::unique_ptr<Net> net;
  std::unique_ptr<Prepared> solver;
  Modes modes;

  explicit Setting(const Geometry &geometry)
      : single(MakeOperator(geometry, at::kFloat)), exact(MakeOperator(geometry, at::kDouble)),
        net(VCycle().make(VCycle().defaults, 2, 0)) {
    at::NoGradGuard no_gradients;
    solver = net->Prepare(single);
  }
  std::unique_ptr<Sampler> Make(const std::string &sampling, long seed = 5) const {
    return FindSampling(sampling).make({exact, *solver, 6, seed, modes});
  }
};

/// A box whose eigenvectors are cosines along x: Neumann sides all around but above.
Setting WithModes(long count) {
  Setting setting(SomeGeometry("box"));
  const Index &n = setting.exact.partition.n;
  const at::Tensor x = (at::arange(n[0], at::kDouble) + 0.5) * (M_PI / double(n[0])),
                   y = (at::arange(n[1], at::kDouble) + 0.5) * (M_PI / double(n[1]));
  for (long m = 0; m < count; ++m) {
    at::Tensor v = (at::cos(x * double(m)) * at::cos(y * 0.5).view({-1, 1})).view({1, 1, n[1], n[0]});
    v = v / v.norm();
    setting.modes.values.push_back((v * setting.exact.Apply(v)).sum().item<double>());
    const at::Tensor single = v.to(at::kFloat).contiguous();
    setting.modes.vectors.insert(setting.modes.vectors.end(), single.data_ptr<float>(),
                                 single.data_ptr<float>() + single.numel());
  }
  // As a data set pads what it has too little of.
  setting.modes.values.push_back(std::numeric_limits<double>::quiet_NaN());
  setting.modes.vectors.resize(setting.modes.vectors.size() + std::size_t(n[0] * n[1]), 0.0f);
  return setting;
}

TEST(Sampling, GivesResidualsOfNormOneAndTheEnergiesOfTheirErrors) {
  const Setting setting = WithModes(5);
  for (const auto &sampling : Samplings()) {
    SCOPED_TRACE(sampling.name);
    const auto sampler = setting.Make(sampling.name);
    for (std::uint64_t place = 0; place < 4; ++place) {
      const Batch batch = sampler->Draw(3, place);
      const at::Tensor r = batch.residual.to(at::kDouble);
      const at::Tensor e = SolveExactly(setting.exact, *setting.solver, r);
      ASSERT_EQ(r.size(0), 3);
      for (std::int64_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(r[i].norm().item<double>(), 1, 1e-6);
        EXPECT_NEAR(batch.energy[i].item<double>() / (e[i] * r[i]).sum().item<double>(), 1, 1e-4);
      }
      sampler->Advance(e.to(at::kFloat) + 0.3 * r.to(at::kFloat));
    }
  }
}

TEST(Sampling, GoesOnFromTheStateOfAnother) {
  const Setting setting = WithModes(5);
  for (const auto &sampling : Samplings()) {
    SCOPED_TRACE(sampling.name);
    const auto used = setting.Make(sampling.name), fresh = setting.Make(sampling.name);
    for (std::uint64_t place = 0; place < 30; ++place) used->Advance(used->Draw(4, place).residual);
    const std::vector<at::Tensor> from = used->State(), to = fresh->State();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t t = 0; t < from.size(); ++t) {
      ASSERT_EQ(from[t].nbytes(), to[t].nbytes());
      ASSERT_TRUE(to[t].is_contiguous());
      std::memcpy(to[t].data_ptr(), from[t].data_ptr(), from[t].nbytes());
    }
    for (std::uint64_t place = 30; place < 60; ++place) { // solves end and start again in between
      const Batch a = used->Draw(4, place), b = fresh->Draw(4, place);
      ASSERT_EQ(Largest(a.residual - b.residual), 0);
      ASSERT_EQ(Largest(a.energy - b.energy), 0);
      used->Advance(a.residual);
      fresh->Advance(b.residual);
    }
    EXPECT_GT(Largest(used->Draw(4, 70).residual - used->Draw(4, 71).residual), 0);
  }
}

TEST(Sampling, OfRitzVectorsPrefersTheLowerHalf) {
  const Setting setting = WithModes(6);
  const auto sampler = setting.Make("ritz");
  const at::Tensor r = sampler->Draw(400, 0).residual.to(at::kDouble).flatten(1);
  const Index &n = setting.exact.partition.n;
  const at::Tensor vectors = at::empty({6, n[1] * n[0]}, at::kDouble);
  std::copy(setting.modes.vectors.begin(), setting.modes.vectors.begin() + vectors.numel(), vectors.data_ptr<double>());
  const at::Tensor parts = at::matmul(r, vectors.t());
  EXPECT_NEAR((parts * parts).sum(1).min().item<double>(), 1, 1e-5); // nothing else is in them
  const at::Tensor strength = (parts * parts).mean(0);
  const double ratio = (strength.narrow(0, 0, 3).sum() / strength.narrow(0, 3, 3).sum()).item<double>();
  EXPECT_GT(ratio, 15); // about 30: nine times as strong, then normalised
  EXPECT_THROW(setting.Make("ritzz"), std::invalid_argument);
}

TEST(Sampling, OfLiveSolvesConvergesWithTheDirectionsThatItIsGiven) {
  const Setting setting(SomeGeometry());
  const auto sampler = setting.Make("krylov");
  // Through several lives of each solve.
  for (int step = 0; step < 40; ++step) {
    const Batch batch = sampler->Draw(6, 0);
    at::NoGradGuard no_gradients;
    const at::Tensor q = setting.solver->Apply(batch.residual);
    const at::Tensor loss = FindLoss("anorm").of(setting.single, batch, q);
    EXPECT_GT(loss.item<double>(), 0);
    EXPECT_LT(loss.item<double>(), 0.9);
    sampler->Advance(q);
  }
  // Directions that are none do no harm.
  for (const double bad : {0.0, std::nan("")}) {
    const Batch batch = sampler->Draw(6, 0);
    sampler->Advance(at::full_like(batch.residual, bad));
    EXPECT_TRUE(at::isfinite(sampler->Draw(6, 0).residual).all().item<bool>());
  }
}

TEST(Loss, IsNothingForTheErrorItself) {
  const Setting setting(SomeGeometry());
  const auto sampler = setting.Make("white");
  const Batch batch = sampler->Draw(4, 0);
  const at::Tensor e = SolveExactly(setting.exact, *setting.solver, batch.residual.to(at::kDouble)).to(at::kFloat);
  for (const auto &loss : Losses()) {
    SCOPED_TRACE(loss.name);
    EXPECT_LT(std::abs(loss.of(setting.single, batch, e).item<double>()), 1e-3);
    EXPECT_GT(loss.of(setting.single, batch, batch.residual).item<double>(), 0.1);
    EXPECT_TRUE(std::isfinite(loss.of(setting.single, batch, at::zeros_like(e)).item<double>()));
    // All but the plain residual leave the length of the direction free.
    const double change = loss.of(setting.single, batch, e * 3).item<double>();
    if (std::string(loss.name) == "residual") EXPECT_NEAR(change, 2, 1e-3);
    else EXPECT_LT(std::abs(change), 1e-3);
  }
  EXPECT_THROW(FindLoss("energy"), std::invalid_argument);
}

TEST(Loss, IsWhatAStepOfConjugateDirectionsLeaves) {
  const Setting setting(SomeGeometry());
  const auto sampler = setting.Make("krylov");
  at::NoGradGuard no_gradients;
  sampler->Advance(sampler->Draw(6, 0).residual);
  const Batch batch = sampler->Draw(6, 0); // solves last two steps at least, so the window holds the first
  const at::Tensor q = setting.solver->Apply(batch.residual), d = Orthogonal(q, batch.window).to(at::kDouble);
  const at::Tensor r = batch.residual.to(at::kDouble), Ad = setting.exact.Apply(d);
  const at::Tensor e = SolveExactly(setting.exact, *setting.solver, r);
  const auto sums = [](const at::Tensor &a, const at::Tensor &b) { return (a * b).sum({1, 2, 3}); };
  const at::Tensor left = e - PerSolve(sums(d, r) / sums(d, Ad)) * d;
  const double expected = (sums(left, setting.exact.Apply(left)) / sums(e, r)).mean().item<double>();
  EXPECT_NEAR(FindLoss("anorm").of(setting.single, batch, q).item<double>(), expected, 1e-4);
  EXPECT_LT(Largest(sums(d, batch.window[1].Ad.to(at::kDouble))), 1e-4 * Largest(sums(d, Ad).sqrt()));
}

TrainingSpec SmallTraining(const ScratchFolder &folder, const std::string &name) {
  TrainingSpec spec;
  spec.grids = {{16, 16, 1}, {12, 20, 1}};
  spec.steps = 24;
  spec.geometries = 8;
  spec.right_sides = 4;
  spec.batch_right_sides = 2;
  spec.validate_every = 12;
  spec.validation_geometries = 2;
  spec.output = folder / name;
  return spec;
}

at::Tensor Parameters(const Model &model) {
  std::vector<at::Tensor> parts;
  for (const auto &t : model.tensors) parts.push_back(t.second.flatten());
  return at::cat(parts);
}

TEST(Training, GivesTheSameModelOnAnyNumberOfRanks) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  TrainingSpec spec = SmallTraining(folder, "all.pt");
  const TrainingReport all = Train(PETSC_COMM_WORLD, spec, source);
  spec.output = folder / "one" + std::to_string(Rank()) + ".pt";
  const TrainingReport one = Train(MPI_COMM_SELF, spec, source);
  const Model model = ReadModel(PETSC_COMM_WORLD, folder / "all.pt");
  const at::Tensor a = Parameters(model), b = Parameters(ReadModel(MPI_COMM_SELF, spec.output));
  EXPECT_LT((a - b).norm().item<double>(), 1e-3 * a.norm().item<double>());
  ASSERT_EQ(all.rows.size(), 2u);
  for (std::size_t r = 0; r < 2; ++r) EXPECT_EQ(all.rows[r].median, one.rows[r].median);
  EXPECT_EQ(model.about.at("data"), "obstacles 16x16 12x20");
  MPI_Barrier(PETSC_COMM_WORLD);
}

TEST(Training, LowersTheNumberOfIterations) {
  ScratchFolder folder;
  TrainingSpec spec = SmallTraining(folder, "m.pt");
  spec.grids = {{24, 24, 1}};
  spec.steps = 60;
  spec.validate_every = 60;
  spec.rate = 5e-3;
  std::string first;
  spec.say = [&](const std::string &line) {
    if (line.find("step 0,") == 0) first = line;
  };
  const TrainingReport report = Train(PETSC_COMM_WORLD, spec, krylearn::TrainingGeometries({}));
  if (Rank() == 0) {
    const auto at = first.find("24: median ");
    ASSERT_NE(at, std::string::npos) << first;
    EXPECT_LE(report.rows[0].median, std::stod(first.substr(at + 11)) - 3) << first;
  }
}

TEST(Training, RefusesRecipesThatCannotWork) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  const auto complaint = [&](const std::function<void(TrainingSpec *)> &change) {
    TrainingSpec spec = SmallTraining(folder, "m.pt");
    change(&spec);
    try {
      Train(PETSC_COMM_WORLD, spec, source);
      return std::string();
    } catch (const std::exception &e) { return std::string(e.what()); }
  };
  EXPECT_NE(complaint([](TrainingSpec *s) { s->loss = "norm"; }).find("known are: anorm, residual, paper"),
            std::string::npos);
  EXPECT_NE(complaint([](TrainingSpec *s) { s->sampling = "grey"; }).find("known are: krylov, ritz, white"),
            std::string::npos);
  EXPECT_NE(complaint([](TrainingSpec *s) { s->sampling = "ritz"; }).find("dataset -ritz 100"), std::string::npos);
  EXPECT_NE(complaint([](TrainingSpec *s) { s->geometries = 4; }).find("give at least 8"), std::string::npos);
}

std::vector<std::string> Lines(const std::string &path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(Training, EndsWhereNothingIsGainedAnyMore) {
  ScratchFolder folder;
  TrainingSpec spec = SmallTraining(folder, "m.pt");
  spec.rate = 0;
  spec.validate_every = 3;
  spec.patience = 2;
  spec.log = folder / "m.csv";
  const TrainingReport report = Train(PETSC_COMM_WORLD, spec, krylearn::TrainingGeometries({}));
  EXPECT_EQ(report.steps, 6);
  EXPECT_GT(report.rows.at(1).median, 0);
  MPI_Barrier(PETSC_COMM_WORLD); // rank 0 has written it
  const std::vector<std::string> rows = Lines(spec.log);
  ASSERT_EQ(rows.size(), 8u);
  EXPECT_EQ(rows[0], "step,seconds,rate,loss,gradient_norm,iterations,median,worst");
  EXPECT_EQ(rows[1].find("0,"), 0u);
  for (std::size_t r = 1; r < rows.size(); ++r) {
    EXPECT_EQ(std::count(rows[r].begin(), rows[r].end(), ','), 7) << rows[r];
    EXPECT_EQ(rows[r].find(",,") == std::string::npos, r == 4 || r == 7) << rows[r]; // after steps 3 and 6
  }
  const auto figures = [](const std::string &row) {
    std::size_t at = 0;
    for (int comma = 0; comma < 5; ++comma) at = row.find(',', at) + 1;
    return row.substr(at);
  };
  EXPECT_EQ(figures(rows[4]), figures(rows[7])); // nothing was learned
}

TEST(Training, KeepsTheBestModelUnlessTheLastIsWanted) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  TrainingSpec spec = SmallTraining(folder, "m.pt");
  spec.rate = 0.3; // which does harm
  Train(PETSC_COMM_WORLD, spec, source);
  const auto fresh = VCycle().make(VCycle().defaults, 2, spec.seed);
  const at::Tensor first = Parameters(ModelOf(*fresh, "vcycle", 2, {}));
  EXPECT_EQ(Largest(Parameters(ReadModel(PETSC_COMM_WORLD, spec.output)) - first), 0);
  spec.keep_last = true;
  spec.output = folder / "last.pt";
  const TrainingReport last = Train(PETSC_COMM_WORLD, spec, source);
  EXPECT_GT(Largest(Parameters(ReadModel(PETSC_COMM_WORLD, spec.output)) - first), 0);
  EXPECT_GT(last.rows.at(0).median, 30);
}

/// On all ranks: what a checkpoint holds is enough to end with the same model, bit for bit.
TEST(Training, GoesOnFromACheckpointAsIfNothingHadHappened) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  for (const char *sampling : {"krylov", "white"}) {
    SCOPED_TRACE(sampling);
    TrainingSpec spec = SmallTraining(folder, "whole.pt");
    spec.sampling = sampling;
    spec.checkpoint = folder / "checkpoint";
    spec.checkpoint_seconds = -1; // after every step
    spec.log = folder / "whole.csv";
    const std::string kept = folder / "kept";
    spec.say = [&](const std::string &line) { // on rank 0
      if (line.find("checkpoint at step 15:") != 0) return;
      std::filesystem::copy_file(spec.checkpoint, kept, std::filesystem::copy_options::overwrite_existing);
    };
    Train(PETSC_COMM_WORLD, spec, source);
    const at::Tensor whole = Parameters(ReadModel(PETSC_COMM_WORLD, spec.output));
    const std::size_t rows = Lines(spec.log).size();
    EXPECT_EQ(rows, 26u); // names of the columns, steps 0 to 24
    MPI_Barrier(PETSC_COMM_WORLD);
    spec.output = folder / "second.pt";
    spec.checkpoint.clear();
    Train(PETSC_COMM_WORLD, spec, source); // checkpoints leave no trace in the model
    EXPECT_EQ(Largest(Parameters(ReadModel(PETSC_COMM_WORLD, spec.output)) - whole), 0);
    spec.checkpoint = kept;
    spec.say = nullptr;
    spec.resume = true;
    const TrainingReport rest = Train(PETSC_COMM_WORLD, spec, source);
    EXPECT_EQ(rest.steps, 9);
    EXPECT_EQ(Largest(Parameters(ReadModel(PETSC_COMM_WORLD, spec.output)) - whole), 0);
    EXPECT_EQ(Lines(spec.log).size(), rows); // those after the checkpoint are written anew
    for (const bool data : {false, true}) {  // another training
      TrainingSpec other = spec;
      if (data) other.data = "contrast 10";
      else other.rate = 1e-3;
      EXPECT_THROW(Train(PETSC_COMM_WORLD, other, source), std::invalid_argument);
    }
  }
}

/// On any number of ranks: rank 0 writes and reads for all of them.
TEST(Training, GoesOnOnAnotherNumberOfRanks) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  TrainingSpec spec = SmallTraining(folder, "whole.pt");
  spec.keep_last = true;
  spec.checkpoint = folder / "checkpoint";
  spec.checkpoint_seconds = -1;
  Train(PETSC_COMM_WORLD, spec, source); // the last checkpoint is that of step 23
  const at::Tensor whole = Parameters(ReadModel(PETSC_COMM_WORLD, spec.output));
  if (Rank() == 0) {
    spec.output = folder / "one.pt";
    spec.checkpoint_seconds = 600;
    spec.resume = true;
    EXPECT_EQ(Train(MPI_COMM_SELF, spec, source).steps, 1);
    const at::Tensor one = Parameters(ReadModel(MPI_COMM_SELF, spec.output));
    EXPECT_LT((one - whole).norm().item<double>(), 1e-4 * whole.norm().item<double>());
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

TEST(Training, RefusesCheckpointsThatAreDamagedOrNone) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  TrainingSpec spec = SmallTraining(folder, "m.pt");
  spec.steps = 3;
  spec.checkpoint = folder / "checkpoint";
  spec.checkpoint_seconds = -1;
  Train(PETSC_COMM_WORLD, spec, source);
  const std::string whole = ReadBytes(PETSC_COMM_WORLD, spec.checkpoint);
  spec.resume = true;
  spec.output = folder / "never.pt";
  const auto complaint = [&](const std::string &bytes) {
    MPI_Barrier(PETSC_COMM_WORLD);
    if (Rank() == 0) std::ofstream(spec.checkpoint, std::ios::binary) << bytes;
    MPI_Barrier(PETSC_COMM_WORLD);
    try {
      Train(PETSC_COMM_WORLD, spec, source);
      return std::string("none");
    } catch (const FileError &e) { return std::string(e.what()); }
  };
  EXPECT_NE(complaint("").find("is none of this version"), std::string::npos);
  EXPECT_NE(complaint(whole.substr(0, 20)).find("is cut off in its first bytes"), std::string::npos);
  EXPECT_NE(complaint(whole.substr(0, 3000)).find("is cut off or damaged"), std::string::npos);
  EXPECT_NE(complaint(whole.substr(0, whole.size() - 1)).find("is cut off: expected"), std::string::npos);
  EXPECT_NE(complaint(whole + "x").find("is damaged: expected"), std::string::npos);
  EXPECT_NE(complaint(ReadBytes(PETSC_COMM_WORLD, folder / "m.pt")).find("is none of this version"), std::string::npos);
  for (int trial = 0; trial < 40; ++trial) {
    std::string bytes = whole;
    bytes[std::size_t(krylearn::Uniform(1, 2, std::uint64_t(trial)) * double(bytes.size()))] ^= char(1 << trial % 8);
    EXPECT_NE(complaint(bytes), "none");
  }
  EXPECT_EQ(complaint(whole), "none");
  try {
    ReadModel(PETSC_COMM_WORLD, spec.checkpoint);
    ADD_FAILURE() << "a checkpoint is no model";
  } catch (const FileError &e) { EXPECT_NE(std::string(e.what()).find("-resume goes on with it"), std::string::npos); }
}

TEST(Training, FailsWhereItHasLostItsWayAndGainedNothing) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  TrainingSpec spec = SmallTraining(folder, "m.pt");
  spec.grids = {{16, 16, 1}};
  spec.rate = 1e30;
  const auto complaint = [&](const std::function<void(TrainingSpec *)> &change) {
    TrainingSpec changed = spec;
    change(&changed);
    try {
      Train(PETSC_COMM_WORLD, changed, source);
      return std::string("none");
    } catch (const std::invalid_argument &e) { return std::string(e.what()); }
  };
  const std::function<void(TrainingSpec *)> changes[] = {
      [](TrainingSpec *) {},
      [](TrainingSpec *s) { s->steps = 200; },
      [](TrainingSpec *s) { s->keep_last = true; },
      [](TrainingSpec *s) { s->validate_every = 2, s->patience = 2; },
      // Of this one the solver makes more without than the untrained network does.
      [](TrainingSpec *s) { s->architecture = "dcdm", s->validate_every = 3; },
      [](TrainingSpec *s) { s->architecture = "dcdm", s->validate_every = 1; },
      [](TrainingSpec *s) { s->architecture = "dcdm", s->steps = s->validate_every = 1; },
      [](TrainingSpec *s) { s->steps = s->validate_every = 1, s->keep_last = true; },
  };
  for (const auto &change : changes)
    EXPECT_NE(complaint(change).find("lower the rate"), std::string::npos) << complaint(change);
  EXPECT_FALSE(std::filesystem::exists(spec.output));
}

/// Some state to keep, of more than one piece.
struct Stored : Sampler {
  std::vector<at::Tensor> state;
  explicit Stored(long seed)
      : state{Random({700, 1, 30, 20}, std::uint64_t(seed)), Random({3, 5}, std::uint64_t(seed) + 1, at::kFloat),
              at::empty({0}, at::kLong)} {}
  Batch Draw(long, std::uint64_t) override { return {}; }
  std::vector<at::Tensor> State() const override { return state; }
};

TEST(Checkpoint, GivesEachSamplerItsStateWhoeverWroteIt) {
  ScratchFolder folder;
  const auto net = VCycle().make(VCycle().defaults, 2, 1);
  const Model model = ModelOf(*net, "vcycle", 2, {});
  constexpr long kMembers = 5;
  const auto pool = [&](int ranks, int rank, long seed, std::vector<std::unique_ptr<Stored>> *samplers) {
    std::vector<PoolMember> members;
    for (long m = 0; m < kMembers; ++m) {
      samplers->push_back(m % ranks == rank ? std::make_unique<Stored>(seed * m) : nullptr);
      members.push_back({int(m % ranks), samplers->back().get()});
    }
    return members;
  };
  const std::string alone = folder / "alone" + std::to_string(Rank()), together = folder / "together";
  std::vector<std::unique_ptr<Stored>> whole, parts, read;
  WriteCheckpoint(MPI_COMM_SELF, alone, model, pool(1, 0, 100, &whole));
  WriteCheckpoint(PETSC_COMM_WORLD, together, model, pool(Ranks(), Rank(), 100, &parts));
  EXPECT_EQ(ReadBytes(MPI_COMM_SELF, alone), ReadBytes(PETSC_COMM_WORLD, together));
  EXPECT_EQ(Largest(Parameters(ReadCheckpoint(PETSC_COMM_WORLD, together)) - Parameters(model)), 0);
  RestorePool(PETSC_COMM_WORLD, together, pool(Ranks(), Rank(), 1, &read));
  for (long m = 0; m < kMembers; ++m) {
    const auto &mine = read[std::size_t(m)];
    for (std::size_t t = 0; mine && t < 2; ++t) EXPECT_EQ(Largest(mine->state[t] - whole[std::size_t(m)]->state[t]), 0);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

TEST(Training, SaysWhichModelItBeganWith) {
  ScratchFolder folder;
  const GeometrySource source = krylearn::TrainingGeometries({});
  TrainingSpec spec = SmallTraining(folder, "first.pt");
  spec.keep_last = true;
  Train(PETSC_COMM_WORLD, spec, source);
  spec.init = spec.output;
  spec.output = folder / "second.pt";
  spec.checkpoint = folder / "checkpoint";
  spec.checkpoint_seconds = -1;
  for (const bool resume : {false, true}) {
    spec.resume = resume;
    Train(PETSC_COMM_WORLD, spec, source);
    const Model first = ReadModel(PETSC_COMM_WORLD, spec.init), second = ReadModel(PETSC_COMM_WORLD, spec.output);
    EXPECT_EQ(first.about.count("init"), 0u);
    EXPECT_EQ(first.about.at("step"), "24");
    EXPECT_EQ(second.about.at("init"), "first.pt, " + first.about.at("training"));
    EXPECT_EQ(second.about.at("init_seconds"), first.about.at("seconds"));
  }
  spec.init = spec.output;
  spec.output = folder / "third.pt";
  spec.resume = false;
  Train(PETSC_COMM_WORLD, spec, source);
  EXPECT_NE(ReadModel(PETSC_COMM_WORLD, spec.output).about.at("init").find("; before that: first.pt, "),
            std::string::npos);
}

TEST(Training, WritesACheckpointWhenASignalAsksForIt) {
  ScratchFolder folder;
  TrainingSpec spec = SmallTraining(folder, "m.pt");
  volatile std::sig_atomic_t signals = 1; // one has come before training began
  spec.signal = &signals;
  spec.checkpoint = folder / "checkpoint";
  long checkpoints = 0;
  spec.say = [&](const std::string &line) {
    if (line.find("step 12,") == 0) signals = signals + 1;
    if (line.find("checkpoint at step 1:") == 0 || line.find("checkpoint at step 13:") == 0) ++checkpoints;
  };
  Train(PETSC_COMM_WORLD, spec, krylearn::TrainingGeometries({}));
  if (Rank() == 0) {
    EXPECT_EQ(checkpoints, 2);
    EXPECT_TRUE(std::filesystem::exists(spec.checkpoint));
  }
}

} // namespace
