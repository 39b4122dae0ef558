#ifndef LAVOISIER_TESTS_GRAPH_FILE_HPP
#define LAVOISIER_TESTS_GRAPH_FILE_HPP

// Rings of atoms of three elements with a charge each, as contiguous ragged arrays, and the domain that reads them.

#include "netcdf_file.hpp"

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::tests {

inline const char* const rings_domain = R"(format = 1
name = "rings"
title = "Rings of the tests"
samples = { graphs = "ring" }
split = { kind = "random", covering = "element", validation = 0.2, test = 0.2, seed = 3 }
source_units = { "" = "1" }
dimensions.atom = { kind = "atom", ragged = true, extent = 7, source = { offsets = "first_atom" } }
dimensions.bond = { kind = "bond", ragged = true, extent = 8, source = { offsets = "first_bond", from = "a", to = "b" } }
dimensions.axis = { kind = "channel", extent = 2 }
inputs.element = { units = "1", dimensions = ["atom"], source = "kind", category = true }
inputs.place = { units = "m", dimensions = ["atom", "axis"] }
inputs.length = { units = "angstrom", dimensions = ["bond"], source = "bond_length" }
inputs.total = { units = "e" }
outputs.charge = { units = "e", dimensions = ["atom"], source = "q" }
laws.total_charge = { equation = "sum(atom, charge) = total", tolerance = 1e-12 }
)";

/// What stands in the file; change it before it is written.
struct Rings {
  std::vector<double> first_atom{0}, first_bond{0}, kind, place, q, a, b, length, total;
  std::string length_units = "nm";

  /// Rings of 3 to 7 atoms, as many bonds. The third element stands in the first ring alone.
  explicit Rings(int rings) {
    for (int r = 0; r < rings; ++r) {
      const int n = 3 + r % 5;
      double sum = 0.0;
      for (int i = 0; i < n; ++i) {
        kind.push_back(r == 0 && i == 0 ? 2.0 : (i + r / 2) % 2);
        place.push_back(std::cos(6.28 * i / n));
        place.push_back(std::sin(6.28 * i / n));
        a.push_back(i);
        b.push_back((i + 1) % n);
        length.push_back(0.1 + 0.01 * ((i * 7 + r * 3) % 5));
      }
      total.push_back(r % 3 - 1.0);
      const std::size_t first = q.size();
      for (int i = 0; i < n; ++i) {
        q.push_back(kind[first + static_cast<std::size_t>(i)] - 0.5 + 0.3 * std::sin(1.7 * r + 2.3 * i));
        sum += q.back();
      }
      for (int i = 0; i < n; ++i) q[first + static_cast<std::size_t>(i)] += (total.back() - sum) / n;
      first_atom.push_back(first_atom.back() + n);
      first_bond.push_back(first_bond.back() + n);
    }
  }

  void write(const std::filesystem::path& path, bool with_charges = true) const {
    NetcdfFile file(path, NC_CLOBBER | NC_NETCDF4);
    const int ring = file.dimension("ring", total.size()), offset = file.dimension("ring_bound", first_atom.size());
    const int bond_offset = file.dimension("bond_bound", first_bond.size());
    const int atom = file.dimension("atom", kind.size()), bond = file.dimension("bond", a.size()), axis = file.dimension("axis", 2);
    const std::vector<std::pair<int, const std::vector<double>*>> all = {
        {file.variable("first_atom", NC_INT, {offset}), &first_atom},
        {file.variable("first_bond", NC_INT, {bond_offset}), &first_bond},
        {file.variable("kind", NC_FLOAT, {atom}), &kind},
        {file.variable("place", NC_DOUBLE, {atom, axis}, {{"units", "cm"}}), &place},
        {file.variable("a", NC_SHORT, {bond}), &a},
        {file.variable("b", NC_SHORT, {bond}), &b},
        {file.variable("bond_length", NC_DOUBLE, {bond}, {{"units", length_units}}), &length},
        {file.variable("total", NC_DOUBLE, {ring}, {{"units", "e"}}), &total}};
    const int charge = with_charges ? file.variable("q", NC_DOUBLE, {atom}, {{"units", "e"}}) : -1;
    for (const auto& [variable, values] : all) file.write(variable, *values);
    if (with_charges) file.write(charge, q);
  }
};

}  // namespace lavoisier::tests

#endif
