#include "meshes/obstacles.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace krylearn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Where a ray enters a disk (or ball) of `radius`: `along` is the centre's position on the ray, `square` the squared
/// distance of the ray's start from the centre. Infinity if it does not.
double EnterBall(double along, double square, double radius) {
  const double c = square - radius * radius; // > 0 outside
  if (c <= 0) return 0;
  const double discriminant = along * along - c;
  if (along <= 0 || discriminant < 0) return kInfinity;
  return c / (along + std::sqrt(discriminant)); // the nearer root, without cancellation
}

bool Near(const Real3 &a, const Real3 &b, double tolerance) {
  for (int d = 0; d < 3; ++d)
    if (a[d] != b[d] && !(std::abs(a[d] - b[d]) <= tolerance)) return false; // infinite ends are equal, not near
  return true;
}

bool SameShape(const Shape &a, const Shape &b, double tolerance) {
  return a.kind == b.kind && a.axis == b.axis && a.radius == b.radius && Near(a.centre, b.centre, tolerance) &&
         Near(a.lower, b.lower, tolerance) && Near(a.upper, b.upper, tolerance);
}

/// Extent of a shape along an axis.
std::array<double, 2> Extent(const Shape &s, int axis) {
  if (s.kind == Shape::Kind::kBox) return {s.lower[axis], s.upper[axis]};
  if (s.kind == Shape::Kind::kCylinder && s.axis == axis) return {-kInfinity, kInfinity};
  return {s.centre[axis] - s.radius, s.centre[axis] + s.radius};
}

void Shift(int axis, double by, Shape *s) {
  s->centre[axis] += by;
  s->lower[axis] += by;
  s->upper[axis] += by;
}

std::string Trim(const std::string &text) {
  const auto first = text.find_first_not_of(" \t\n\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\n\r") - first + 1);
}

std::vector<std::string> Split(const std::string &text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == separator) parts.emplace_back();
    else parts.back() += c;
  }
  for (auto &part : parts) part = Trim(part);
  return parts;
}

const char *AcceptedForms(int dim) {
  return dim == 2 ? "cylinder:x,y,r; box:x0,y0,x1,y1; sphere:x,y,z,r" :
                    "sphere:x,y,z,r; cylinder:x,y,r[,axis]; box:x0,y0,z0,x1,y1,z1";
}

/// Turns "name:numbers" into a shape; returns what is wrong with it, or an empty string.
std::string ParseShape(int dim, const std::string &text, Shape *shape) {
  const auto colon = text.find(':');
  const std::string name = Trim(text.substr(0, colon));
  if (name != "sphere" && name != "cylinder" && name != "box") return "unknown shape '" + name + "'";
  if (colon == std::string::npos) return "no numbers after '" + name + "'; put a colon and its numbers";
  std::vector<std::string> words = Split(text.substr(colon + 1), ',');
  if (name == "cylinder" && words.size() == 4) {
    const std::string axis = words.back();
    if (axis != "x" && axis != "y" && axis != "z") return "'" + axis + "' is not an axis; give x, y or z";
    shape->axis = axis[0] - 'x';
    words.pop_back();
  }
  std::vector<double> v;
  for (const auto &word : words) {
    char *end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (word.empty() || *end) return "'" + word + "' is not a number";
    if (!std::isfinite(value)) return "'" + word + "' is not a finite number";
    v.push_back(value);
  }
  const std::string count = std::to_string(v.size());
  if (name == "box") {
    shape->kind = Shape::Kind::kBox;
    if (v.size() == 4 && dim == 2) {
      shape->lower = {v[0], v[1], -kInfinity};
      shape->upper = {v[2], v[3], kInfinity};
    } else if (v.size() == 6) {
      shape->lower = {v[0], v[1], v[2]};
      shape->upper = {v[3], v[4], v[5]};
    } else {
      return "a box takes " + std::string(dim == 2 ? "4 (or 6)" : "6") + " numbers, not " + count;
    }
    for (int a = 0; a < 3; ++a)
      if (!(shape->lower[a] < shape->upper[a]))
        return std::string("its upper corner is not above its lower corner along ") + "xyz"[a] +
               "; give the lower corner first";
    return "";
  }
  const bool disk = name == "cylinder" || (dim == 2 && v.size() == 3);
  if (v.size() != (disk ? 3u : 4u))
    return "a " + name + " takes " + (name == "cylinder" ? "3 numbers (and an axis)" : "4 numbers") + ", not " + count;
  shape->kind = disk ? Shape::Kind::kCylinder : Shape::Kind::kSphere;
  shape->radius = v.back();
  if (!(shape->radius > 0)) return "its radius is " + words.back() + "; it must be positive";
  std::size_t next = 0;
  for (int a = 0; a < 3; ++a) shape->centre[a] = disk && a == shape->axis ? 0.0 : v[next++];
  return "";
}

} // namespace

double Shape::Distance(const Real3 &x) const {
  switch (kind) {
  case Kind::kSphere: {
    const double a = x[0] - centre[0], b = x[1] - centre[1], c = x[2] - centre[2];
    return std::sqrt(a * a + b * b + c * c) - radius;
  }
  case Kind::kCylinder: {
    const int p = axis == 0 ? 1 : 0, q = axis == 2 ? 1 : 2;
    const double a = x[p] - centre[p], b = x[q] - centre[q];
    return std::sqrt(a * a + b * b) - radius;
  }
  case Kind::kBox: break;
  }
  double inside = -kInfinity, outside = 0;
  for (int a = 0; a < 3; ++a) {
    const double beyond = std::max(lower[a] - x[a], x[a] - upper[a]);
    inside = std::max(inside, beyond);
    if (beyond > 0) outside += beyond * beyond;
  }
  return inside > 0 ? std::sqrt(outside) : inside;
}

double Shape::AxisCut(const Real3 &x, int along, double step) const {
  const double sign = step < 0 ? -1 : 1, length = std::abs(step);
  double enter = 0;
  if (kind == Kind::kBox) {
    for (int a = 0; a < 3; ++a) {
      if (a != along && (x[a] < lower[a] || x[a] > upper[a])) return 1;
    }
    enter = sign > 0 ? lower[along] - x[along] : x[along] - upper[along];
    const double leave = sign > 0 ? upper[along] - x[along] : x[along] - lower[along];
    if (leave < 0) return 1;
  } else {
    double square = 0;
    for (int a = 0; a < 3; ++a)
      if (kind == Kind::kSphere || a != axis) square += (x[a] - centre[a]) * (x[a] - centre[a]);
    const bool parallel = kind == Kind::kCylinder && axis == along;
    enter = EnterBall(parallel ? 0.0 : sign * (centre[along] - x[along]), square, radius);
  }
  if (enter >= length) return 1;
  return std::max(0.0, enter / length);
}

double Obstacles::Distance(const Real3 &x) const {
  double nearest = kInfinity;
  for (const Shape &s : shapes) nearest = std::min(nearest, s.Distance(x));
  return nearest;
}

double Obstacles::AxisCut(const Real3 &from, int axis, double step) const {
  double first = 1;
  for (const Shape &s : shapes) first = std::min(first, s.AxisCut(from, axis, step));
  return first;
}

Obstacles Obstacles::WithImages(const Grid &grid) const {
  Obstacles result = *this;
  for (int axis = 0; axis < grid.Dim(); ++axis) {
    if (!grid.Periodic(axis)) continue;
    // The margin covers the ghost layers and the neighbourhood whose distances matter to a face there.
    const double lower = grid.Spec().lower[axis], upper = grid.Spec().upper[axis], period = upper - lower;
    const PetscInt n = grid.Cells().n[axis];
    const double margin = 2 * std::max(upper - grid.Face(axis, n - 2), grid.Face(axis, 2) - lower);
    const std::size_t count = result.shapes.size();
    for (std::size_t s = 0; s < count; ++s) {
      const auto extent = Extent(result.shapes[s], axis);
      if (std::isinf(extent[0]) || std::isinf(extent[1])) continue;
      const int first = static_cast<int>(std::ceil((lower - margin - extent[1]) / period));
      const int last = static_cast<int>(std::floor((upper + margin - extent[0]) / period));
      for (int k = first; k <= last; ++k) {
        if (k == 0) continue;
        Shape image = result.shapes[s];
        Shift(axis, k * period, &image);
        const bool known = std::any_of(result.shapes.begin(), result.shapes.end(),
                                       [&](const Shape &other) { return SameShape(other, image, 1e-12 * period); });
        if (!known) result.shapes.push_back(image);
      }
    }
  }
  return result;
}

PetscErrorCode ParseObstacles(MPI_Comm comm, int dim, const std::string &text, Obstacles *obstacles) {
  PetscFunctionBeginUser;
  Obstacles result;
  for (const std::string &part : Split(text, ';')) {
    if (part.empty()) continue; // a trailing semicolon is no mistake
    Shape shape;
    const std::string complaint = ParseShape(dim, part, &shape);
    PetscCheck(complaint.empty(), comm, PETSC_ERR_USER_INPUT, "Obstacle '%s': %s. Accepted: %s", part.c_str(),
               complaint.c_str(), AcceptedForms(dim));
    result.shapes.push_back(shape);
  }
  *obstacles = result;
  PetscFunctionReturn(0);
}

} // namespace krylearn
