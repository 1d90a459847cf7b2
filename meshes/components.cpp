// Connected components of the fluid, the pockets among them, and the null space that the singular ones bring.
#include "meshes/poisson.h"
#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace krylearn {
namespace {

/// Above this many singular components, labelled sums are cheaper than one indicator vector each.
constexpr std::size_t kManyComponents = 4;

/// Disjoint sets of cells, each represented by its smallest offset.
class Forest {
public:
  explicit Forest(std::size_t size) : parent_(size) {
    for (std::size_t i = 0; i < size; ++i) parent_[i] = static_cast<PetscInt>(i);
  }
  PetscInt Find(PetscInt x) {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  void Join(PetscInt a, PetscInt b) {
    a = Find(a);
    b = Find(b);
    if (a < b) parent_[b] = a;
    else parent_[a] = b;
  }

private:
  std::vector<PetscInt> parent_;
};

constexpr double kSolidLabel = 1e300, kNotSingular = -1;

struct Component {
  PetscInt64 label, cells;
};

/// Gives every owned fluid cell the smallest natural index of its component, or kNotSingular if `dirichlet` is set and
/// the component touches a Dirichlet side; solid cells get kSolidLabel. Ghosts invalid. Collective.
PetscErrorCode LabelComponents(const Grid &grid, const PoissonCoefficients &c, bool dirichlet, Field *labels) {
  PetscFunctionBeginUser;
  const Layout &layout = grid.Cells();
  const int dim = grid.Dim();
  Forest forest(layout.size);
  // Pairs (owned cell, ghost cell) joined by an open face.
  std::vector<std::array<std::ptrdiff_t, 2>> seams;
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    if (c.solid[at] != 0) return;
    const Int3 cell{i, j, k};
    for (int d = 0; d < dim; ++d) {
      const bool first = cell[d] == layout.lo[d], last = cell[d] + 1 == layout.hi[d];
      const std::ptrdiff_t step = layout.stride[d];
      if (!first && c.Joined(layout, d, at)) forest.Join(PetscInt(at), PetscInt(at - step));
      if (first && !grid.AtBoundary(d, 0) && c.Joined(layout, d, at)) seams.push_back({at, at - step});
      if (last && !grid.AtBoundary(d, 1) && c.Joined(layout, d, at + step)) seams.push_back({at, at + step});
    }
  });

  // The smallest offset of a set is also its smallest natural index, as both count i, then j, then k.
  Field &label = *labels;
  label.assign(layout.size, kSolidLabel);
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    if (c.solid[at] != 0) return;
    const PetscInt root = forest.Find(PetscInt(at));
    if (root == at) label[at] = double(i) + double(layout.n[0]) * (double(j) + double(layout.n[1]) * double(k));
    if (!dirichlet) return;
    const Int3 cell{i, j, k};
    for (int d = 0; d < dim; ++d)
      for (int side = 0; side < 2; ++side)
        if (grid.AtBoundary(d, side) && cell[d] == (side == 0 ? 0 : layout.n[d] - 1) &&
            c.sides[d][side] == Side::kDirichlet && c.alpha[d][at + side * layout.stride[d]] > 0)
          label[root] = kNotSingular;
  });

  // Smaller labels travel across the seams until nothing changes anywhere.
  for (int changed = 1; changed;) {
    for (const auto &seam : seams) label[seam[0]] = label[forest.Find(PetscInt(seam[0]))];
    PetscCall(grid.Exchange({&label}));
    changed = 0;
    for (const auto &seam : seams) {
      double &mine = label[forest.Find(PetscInt(seam[0]))];
      if (label[seam[1]] < mine) mine = label[seam[1]], changed = 1;
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPI_INT, MPI_MAX, grid.Comm()));
  }
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    if (c.solid[at] == 0) label[at] = label[forest.Find(PetscInt(at))];
  });
  PetscFunctionReturn(0);
}

/// All components with labels >= 0 and their sizes over all ranks, by increasing label. Collective.
PetscErrorCode GatherComponents(const Grid &grid, const Field &label, std::vector<Component> *components) {
  PetscFunctionBeginUser;
  const Layout &layout = grid.Cells();
  std::unordered_map<PetscInt64, PetscInt64> count;
  PetscInt64 previous = -1, run = 0; // neighbours mostly share a component
  const auto flush = [&] {
    if (run) count[previous] += run;
    run = 0;
  };
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const double l = label[layout.At(i, j, k)];
    if (l == kSolidLabel || l < 0) return;
    if (static_cast<PetscInt64>(l) != previous) {
      flush();
      previous = static_cast<PetscInt64>(l);
    }
    ++run;
  });
  flush();
  std::vector<PetscInt64> mine;
  for (const auto &entry : count) mine.insert(mine.end(), {entry.first, entry.second});
  int size, length = static_cast<int>(mine.size());
  PetscCallMPI(MPI_Comm_size(grid.Comm(), &size));
  std::vector<int> lengths(size), starts(size + 1, 0);
  PetscCallMPI(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, grid.Comm()));
  for (int r = 0; r < size; ++r) starts[r + 1] = starts[r] + lengths[r];
  std::vector<Component> all(starts[size] / 2);
  PetscCallMPI(MPI_Allgatherv(mine.data(), length, MPIU_INT64, all.data(), lengths.data(), starts.data(), MPIU_INT64,
                              grid.Comm()));
  std::sort(all.begin(), all.end(), [](const Component &a, const Component &b) { return a.label < b.label; });
  components->clear();
  for (const Component &part : all) {
    if (components->empty() || components->back().label != part.label) components->push_back({part.label, 0});
    components->back().cells += part.cells;
  }
  PetscFunctionReturn(0);
}

/// What the null space needs to take the mean out of each component of a vector.
struct LabelledSums {
  MPI_Comm comm = MPI_COMM_NULL;
  std::vector<PetscInt> label; ///< per owned cell, in the order of the vector
  std::vector<double> inverse_cells, sums;
};

PetscErrorCode RemoveLabelledMeans(MatNullSpace, Vec vec, void *context) {
  PetscFunctionBeginUser;
  auto &s = *static_cast<LabelledSums *>(context);
  PetscScalar *x;
  PetscCall(VecGetArray(vec, &x));
  std::fill(s.sums.begin(), s.sums.end(), 0.0);
  for (std::size_t i = 0; i < s.label.size(); ++i)
    if (s.label[i] >= 0) s.sums[s.label[i]] += x[i];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, s.sums.data(), int(s.sums.size()), MPI_DOUBLE, MPI_SUM, s.comm));
  for (std::size_t c = 0; c < s.sums.size(); ++c) s.sums[c] *= s.inverse_cells[c];
  for (std::size_t i = 0; i < s.label.size(); ++i)
    if (s.label[i] >= 0) x[i] -= s.sums[s.label[i]];
  PetscCall(VecRestoreArray(vec, &x));
  PetscCall(PetscLogFlops(2.0 * s.label.size()));
  PetscFunctionReturn(0);
}

PetscErrorCode DestroyLabelledSums(void *context) {
  delete static_cast<LabelledSums *>(context);
  return 0;
}

std::vector<PetscInt> OwnedLabels(const Grid &grid, const SingularComponents &components) {
  std::vector<PetscInt> owned;
  owned.reserve(grid.Cells().OwnedCells());
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    owned.push_back(components.label[grid.Cells().At(i, j, k)]);
  });
  return owned;
}

} // namespace

PetscErrorCode FindSingularComponents(const Grid &grid, const PoissonCoefficients &coefficients,
                                      SingularComponents *components) {
  PetscFunctionBeginUser;
  Field label;
  PetscCall(LabelComponents(grid, coefficients, true, &label));
  std::vector<Component> found;
  PetscCall(GatherComponents(grid, label, &found));
  std::unordered_map<PetscInt64, PetscInt> number;
  components->cells.clear();
  for (const Component &component : found) {
    if (component.cells == 1) continue; // no open face: an identity row
    number[component.label] = PetscInt(components->cells.size());
    components->cells.push_back(component.cells);
  }
  components->label.assign(grid.Cells().size, -1);
  if (number.empty()) PetscFunctionReturn(0);
  PetscInt64 previous = -1;
  PetscInt previous_number = -1;
  ForEachCell(grid.Cells(), [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = grid.Cells().At(i, j, k);
    if (label[at] == kSolidLabel || label[at] < 0) return;
    if (static_cast<PetscInt64>(label[at]) != previous) {
      previous = static_cast<PetscInt64>(label[at]);
      const auto entry = number.find(previous);
      previous_number = entry == number.end() ? -1 : entry->second;
    }
    components->label[at] = previous_number;
  });
  PetscFunctionReturn(0);
}

PetscErrorCode FillPockets(const Grid &grid, PetscInt min_cells, PoissonCoefficients *coefficients,
                           PetscInt64 *filled) {
  PetscFunctionBeginUser;
  const Layout &layout = grid.Cells();
  Field label;
  PetscCall(LabelComponents(grid, *coefficients, false, &label));
  std::vector<Component> found;
  PetscCall(GatherComponents(grid, label, &found));
  const auto largest = std::max_element(found.begin(), found.end(),
                                        [](const Component &a, const Component &b) { return a.cells < b.cells; });
  std::vector<PetscInt64> pockets; // increasing, as `found` is
  *filled = 0;
  for (auto component = found.begin(); component != found.end(); ++component)
    if (component != largest && component->cells < min_cells) {
      pockets.push_back(component->label);
      *filled += component->cells;
    }
  if (pockets.empty()) PetscFunctionReturn(0);

  Field &solid = coefficients->solid;
  ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
    const std::ptrdiff_t at = layout.At(i, j, k);
    if (label[at] != kSolidLabel && std::binary_search(pockets.begin(), pockets.end(), PetscInt64(label[at])))
      solid[at] = 1;
  });
  PetscCall(grid.Exchange({&solid}));
  // Close what the new solid cells touch; inner faces next to old ones are closed already.
  for (int d = 0; d < grid.Dim(); ++d) {
    Field &alpha = coefficients->alpha[d];
    ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
      const std::ptrdiff_t at = layout.At(i, j, k), step = layout.stride[d];
      const Int3 cell{i, j, k};
      const bool behind = !(grid.AtBoundary(d, 0) && cell[d] == 0);
      if (solid[at] != 0 || (behind && solid[at - step] != 0)) alpha[at] = 0;
      if (solid[at] != 0 && grid.AtBoundary(d, 1) && cell[d] + 1 == layout.n[d]) alpha[at + step] = 0;
    });
  }
  PetscCall(grid.Exchange(coefficients->alpha));
  PetscFunctionReturn(0);
}

PetscErrorCode CreatePoissonNullSpace(const Grid &grid, const SingularComponents &components,
                                      MatNullSpace *nullspace) {
  PetscFunctionBeginUser;
  *nullspace = nullptr;
  const std::size_t count = components.cells.size();
  if (count == 0) PetscFunctionReturn(0);
  const std::vector<PetscInt> owned = OwnedLabels(grid, components);
  if (count <= kManyComponents) {
    Vec indicator[kManyComponents];
    for (std::size_t c = 0; c < count; ++c) {
      PetscCall(DMCreateGlobalVector(grid.PressureDM(), &indicator[c]));
      PetscScalar *x;
      PetscCall(VecGetArrayWrite(indicator[c], &x));
      const double value = 1 / std::sqrt(double(components.cells[c]));
      for (std::size_t i = 0; i < owned.size(); ++i) x[i] = owned[i] == PetscInt(c) ? value : 0;
      PetscCall(VecRestoreArrayWrite(indicator[c], &x));
    }
    PetscCall(MatNullSpaceCreate(grid.Comm(), PETSC_FALSE, PetscInt(count), indicator, nullspace));
    for (std::size_t c = 0; c < count; ++c) PetscCall(VecDestroy(&indicator[c]));
    PetscFunctionReturn(0);
  }
  auto *sums = new LabelledSums;
  sums->comm = grid.Comm();
  sums->label = owned;
  sums->sums.resize(count);
  for (PetscInt64 cells : components.cells) sums->inverse_cells.push_back(1 / double(cells));
  PetscCall(MatNullSpaceCreate(grid.Comm(), PETSC_FALSE, 0, nullptr, nullspace));
  PetscCall(MatNullSpaceSetFunction(*nullspace, RemoveLabelledMeans, sums));
  PetscContainer owner; // frees the sums together with the null space
  PetscCall(PetscContainerCreate(grid.Comm(), &owner));
  PetscCall(PetscContainerSetPointer(owner, sums));
  PetscCall(PetscContainerSetUserDestroy(owner, DestroyLabelledSums));
  PetscCall(PetscObjectCompose((PetscObject)*nullspace, "krylearn_labelled_sums", (PetscObject)owner));
  PetscCall(PetscContainerDestroy(&owner));
  PetscFunctionReturn(0);
}

PetscErrorCode MakeCompatible(const Grid &grid, const SingularComponents &components, Vec rhs) {
  PetscFunctionBeginUser;
  const std::size_t count = components.cells.size();
  if (count == 0) PetscFunctionReturn(0);
  const Layout &layout = grid.Cells();
  PetscScalar *b;
  PetscCall(VecGetArray(rhs, &b));
  double largest = 0;
  for (PetscInt i = 0; i < layout.OwnedCells(); ++i) largest = std::max(largest, std::abs(b[i]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, grid.Comm()));
  int exponent = 0;
  std::frexp(largest, &exponent); // |b| < 2^exponent
  if (largest > 1e-250 && std::isfinite(largest)) {
    // Integer sums do not depend on their order: each value is cut into two digits of 29 bits below 2^exponent, whose
    // sums over 2^33 cells still fit 64 bits.
    const double up = std::ldexp(1.0, 29 - exponent), down = std::ldexp(1.0, 29);
    std::vector<PetscInt64> sums(2 * count, 0);
    PetscInt at = 0;
    ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
      const PetscInt label = components.label[layout.At(i, j, k)];
      const double scaled = b[at++] * up, high = std::nearbyint(scaled);
      if (label < 0) return;
      sums[2 * label] += static_cast<PetscInt64>(high);
      sums[2 * label + 1] += static_cast<PetscInt64>(std::nearbyint((scaled - high) * down));
    });
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums.data(), int(2 * count), MPIU_INT64, MPI_SUM, grid.Comm()));
    std::vector<double> mean(count);
    for (std::size_t c = 0; c < count; ++c)
      mean[c] = (double(sums[2 * c]) + double(sums[2 * c + 1]) / down) / up / double(components.cells[c]);
    at = 0;
    ForEachCell(layout, [&](PetscInt i, PetscInt j, PetscInt k) {
      const PetscInt label = components.label[layout.At(i, j, k)];
      if (label >= 0) b[at] -= mean[label];
      ++at;
    });
  }
  PetscCall(VecRestoreArray(rhs, &b));
  PetscFunctionReturn(0);
}

} // namespace krylearn
