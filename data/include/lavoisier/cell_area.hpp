#ifndef LAVOISIER_CELL_AREA_HPP
#define LAVOISIER_CELL_AREA_HPP

#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/units.hpp>

#include <vector>

namespace lavoisier {

/// Of the cells of an axis of latitudes, sin(north) - sin(south), from their bounds; where the file has none, midway
/// between centres, half a cell beyond the outermost ones; either clipped at the poles. One cell without bounds is the
/// whole sphere: 2. `to_degrees`: of the axis' numbers. Errors: non_finite, out_of_range (a centre beyond a pole, a cell
/// without area).
std::vector<double> latitude_bands(const FileAxis& axis, const UnitConversion& to_degrees = {});

/// Of the cells of an axis of longitudes, east - west in radians, likewise; 359 and 1 are neighbours. One cell without
/// bounds goes all the way round. Errors: non_finite, out_of_range (cells that overlap: more than 360 degrees in all).
std::vector<double> longitude_widths(const FileAxis& axis, const UnitConversion& to_degrees = {});

}  // namespace lavoisier

#endif
