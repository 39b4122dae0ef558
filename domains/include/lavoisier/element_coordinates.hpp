#ifndef LAVOISIER_ELEMENT_COORDINATES_HPP
#define LAVOISIER_ELEMENT_COORDINATES_HPP

#include <lavoisier/model_file.hpp>

#include <string>
#include <vector>

namespace lavoisier {

/// Values along a dimension of a layout (heights of levels), as a file has them.
struct ElementCoordinate {
  std::string dimension;       ///< the layout's name
  std::string units;           ///< empty: the file names none
  std::vector<double> values;  ///< one an element
  std::string origin;          ///< the file, for messages
};
using ElementCoordinates = std::vector<ElementCoordinate>;

/// Compares coordinates of the same dimensions: what either lacks is not compared. Units are converted where both have
/// some. Errors name both files, the dimension, the index and both values: out_of_range (a value that differs by more
/// than 1e-6, relative, as for a host's own), shape_mismatch (another number of values), unit_mismatch.
void require_same(const ElementCoordinates& expected, const ElementCoordinates& found);

/// Writes them into a model file as the tensors `coordinates.NAME`, their units as provenance of these names.
void add_coordinates(ModelFile& model, const ElementCoordinates& coordinates);
/// Those that a model file carries of its layout's dimensions; `origin` names it in messages.
ElementCoordinates coordinates_of(const ModelFile& model, const std::string& origin);

}  // namespace lavoisier

#endif
