#include "law_rank.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

namespace lavoisier::detail {
namespace {

using Row = std::vector<double>;

/// Squares of coefficients may leave the range of double; their ratios to the largest don't.
double norm_of(const Row& row, const std::string& name) {
  double largest = 0.0, sum = 0.0;
  for (const double a : row) largest = std::max(largest, std::abs(a));
  for (const double a : row)
    if (a != 0.0) sum += (a / largest) * (a / largest);
  const double norm = largest * std::sqrt(sum);
  if (!std::isfinite(norm))
    throw Error(Status::non_finite, "law '" + name + "': its coefficients are not finite together");
  if (!(norm > 0.0)) throw Error(Status::invalid_format, "law '" + name + "' has no coefficient but zero");
  return norm;
}

/// A row freed from a basis.
struct Remainder {
  double norm = 0.0;  ///< of the row
  Row rest;           ///< of the row at unit norm
  double left = 0.0;  ///< norm of `rest`
  Row of_kept;        ///< what was taken away, in terms of the kept rows
};

/// The kept rows at one point: an orthonormal basis, and each of its rows in terms of the kept ones.
class Basis {
 public:
  Remainder remainder(const Row& row, const std::string& name) const {
    Remainder found;
    found.norm = norm_of(row, name);
    found.rest = row;
    for (double& a : found.rest) a /= found.norm;
    Row weights(directions_.size(), 0.0);
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t b = 0; b < directions_.size(); ++b) {
        double dot = 0.0;
        for (std::size_t i = 0; i < row.size(); ++i) dot += found.rest[i] * directions_[b][i];
        for (std::size_t i = 0; i < row.size(); ++i) found.rest[i] -= dot * directions_[b][i];
        weights[b] += dot;
      }
    for (const double a : found.rest) found.left += a * a;
    found.left = std::sqrt(found.left);
    found.of_kept.assign(directions_.size(), 0.0);
    for (std::size_t b = 0; b < directions_.size(); ++b)
      for (std::size_t j = 0; j < combinations_[b].size(); ++j) found.of_kept[j] += weights[b] * combinations_[b][j];
    return found;
  }

  void keep(Remainder found) {
    for (double& a : found.rest) a /= found.left;
    Row own;
    for (const double part : found.of_kept) own.push_back(-part / found.left);
    own.push_back(1.0 / (found.norm * found.left));
    directions_.push_back(std::move(found.rest));
    combinations_.push_back(std::move(own));
  }

 private:
  std::vector<Row> directions_, combinations_;
};

/// What the kept laws say of law l's right-hand side.
void require_consistent(const std::vector<ProgramLaw>& laws, const std::vector<std::int32_t>& kept, std::size_t l,
                        const Remainder& found, const LawPoint& point, std::set<std::int32_t>& involved) {
  for (std::size_t j = 0; j < kept.size(); ++j)
    if (std::abs(found.of_kept[j]) > tolerances::identity::rank) involved.insert(kept[j]);
  for (const Row& d : point.right_hand_sides) {
    double implied = 0.0, size = std::abs(d[l]);
    for (std::size_t j = 0; j < kept.size(); ++j) {
      const double part = found.norm * found.of_kept[j] * d[static_cast<std::size_t>(kept[j])];
      implied += part;
      size += std::abs(part);
    }
    if (!(std::abs(implied - d[l]) > 1e-9 * size)) continue;
    std::string names;
    for (const std::int32_t other : involved)
      names += (names.empty() ? "'" : ", '") + laws[static_cast<std::size_t>(other)].name + "'";
    throw Error(Status::inconsistent_laws, "law '" + laws[l].name + "' contradicts " + names);
  }
}

}  // namespace

std::vector<std::int32_t> independent_laws(const std::vector<ProgramLaw>& laws, std::vector<LawPoint> points) {
  std::vector<std::int32_t> kept;
  std::vector<Basis> bases(points.size());
  for (std::size_t l = 0; l < laws.size(); ++l) {
    std::vector<Remainder> found;
    double most = 0.0;
    for (std::size_t p = 0; p < points.size(); ++p) {
      found.push_back(bases[p].remainder(points[p].rows[l], laws[l].name));
      most = std::max(most, found.back().left);
    }
    if (most > tolerances::identity::rank) {
      // A point where this law happens to follow from the others has nothing more to say.
      std::size_t left = 0;
      for (std::size_t p = 0; p < points.size(); ++p) {
        if (!(found[p].left > tolerances::identity::rank)) continue;
        bases[p].keep(std::move(found[p]));
        if (left != p) {
          points[left] = std::move(points[p]);
          bases[left] = std::move(bases[p]);
        }
        ++left;
      }
      points.resize(left);
      bases.resize(left);
      kept.push_back(static_cast<std::int32_t>(l));
      continue;
    }
    std::set<std::int32_t> involved;
    for (std::size_t p = 0; p < points.size(); ++p) require_consistent(laws, kept, l, found[p], points[p], involved);
  }
  return kept;
}

}  // namespace lavoisier::detail
