#include <lavoisier/ensemble_writer.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include "netcdf_support.hpp"

#include <fmt/format.h>
#include <netcdf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>
#include <set>
#include <system_error>

namespace lavoisier {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool is_name(const std::string& name) {
  if (name.empty() || (std::isalpha(static_cast<unsigned char>(name.front())) == 0)) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_'; });
}

/// What CF says of an axis by its units (section 4: units alone tell latitude and longitude, a reference time time).
void complete_axis(const FileAxis& axis, std::map<std::string, std::string>& attributes) {
  static const std::set<std::string> latitude = {"degrees_north", "degree_north", "degree_n",
                                                 "degrees_n",     "degreen",      "degreesn"};
  static const std::set<std::string> longitude = {"degrees_east", "degree_east", "degree_e",
                                                  "degrees_e",    "degreee",     "degreese"};
  const std::string units = lower(axis.units);
  const auto state = [&](const char* name, const char* value) { attributes.emplace(name, value); };
  if (latitude.contains(units)) {
    state("standard_name", "latitude");
    state("long_name", "latitude");
    state("axis", "Y");
  } else if (longitude.contains(units)) {
    state("standard_name", "longitude");
    state("long_name", "longitude");
    state("axis", "X");
  } else if (const auto since = units.find(" since "); since != std::string::npos) {
    state("standard_name", "time");
    state("long_name", "time");
    state("axis", "T");
    if (!attributes.contains("calendar")) {
      // CF's default calendar has no year 0; the proleptic Gregorian one has, and the same mean year.
      const std::string date = axis.units.substr(since + 7);
      const bool year_zero = std::strtol(date.c_str(), nullptr, 10) == 0;
      state("calendar", year_zero ? "proleptic_gregorian" : "standard");
      if (year_zero) state("comment", "climatology: the year 0 is nominal, the axis repeats every year");
    }
  }
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  const char* const names[] = {"kB", "MB", "GB", "TB", "PB"};
  double size = static_cast<double>(bytes) / 1e3;
  std::size_t name = 0;
  while (size >= 1000.0 && name < 4) {
    size /= 1e3;
    ++name;
  }
  return fmt::format("{:.3g} {} ({} bytes)", size, names[name], bytes);
}

struct Interval {
  std::int64_t first, end;
};

/// Cells of one field that are written, as sorted intervals that do not touch; one in the usual case.
class Coverage {
 public:
  void add(std::int64_t first, std::int64_t end) {
    auto at = std::lower_bound(intervals_.begin(), intervals_.end(), first,
                               [](const Interval& i, std::int64_t value) { return i.end < value; });
    auto last = at;
    while (last != intervals_.end() && last->first <= end) {
      first = std::min(first, last->first);
      end = std::max(end, last->end);
      ++last;
    }
    at = intervals_.erase(at, last);
    intervals_.insert(at, {first, end});
  }
  std::vector<Interval> gaps(std::int64_t total) const {
    std::vector<Interval> result;
    std::int64_t at = 0;
    for (const auto& interval : intervals_) {
      if (interval.first > at) result.push_back({at, interval.first});
      at = interval.end;
    }
    if (at < total) result.push_back({at, total});
    return result;
  }

 private:
  std::vector<Interval> intervals_;
};

struct FieldState {
  int variable = -1;
  std::int64_t buffer_first = 0;
  std::vector<double> doubles;  // one of these is the buffer
  std::vector<float> floats;
  Coverage coverage;
};

/// One field as an array: over the grid's axes, then its own.
struct FieldShape {
  std::vector<std::int64_t> extents;
  std::vector<std::size_t> own;  ///< numbers of its element axes
  std::int64_t elements = 1;     ///< of a cell
};

/// What names other variables of the input file would point nowhere; blank marks say nothing.
std::map<std::string, std::string> kept_attributes(const std::map<std::string, std::string>& given) {
  static const std::set<std::string> dropped = {"edges",         "bounds",        "climatology",  "units",
                                                "_FillValue",    "formula_terms", "coordinates",  "computed_standard_name",
                                                "grid_mapping",  "cell_measures", "ancillary_variables"};
  std::map<std::string, std::string> kept;
  for (const auto& [name, value] : given)
    if (!dropped.contains(name) && value.find_first_not_of(' ') != std::string::npos) kept[name] = value;
  return kept;
}

}  // namespace

std::atomic<bool> detail::write_failed{false};
using detail::write_failed;

bool hdf5_write_failed() noexcept { return write_failed.load(); }

struct EnsembleWriter::Implementation {
  EnsembleOptions options;
  std::vector<FieldShape> shapes;      ///< of the fields
  std::int64_t cells = 1, numbers = 0;  ///< of the grid; of all fields
  std::int64_t buffer_size = 0;

  bool is_open = false;
  int file = -1;
  fs::path temporary, path;
  std::vector<FieldState> states;

  explicit Implementation(EnsembleOptions given) : options(std::move(given)) {
    const auto refuse = [](const std::string& message) { throw Error(Status::invalid_argument, message); };
    if (options.stem.empty() || options.stem.find('/') != std::string::npos)
      refuse(fmt::format("expected a plain file name as stem, found \"{}\"", options.stem));
    if (options.axes.empty()) refuse("an ensemble file needs at least one axis");
    if (options.fields.empty()) refuse("an ensemble file needs at least one field");
    if (options.compression < 0 || options.compression > 9)
      refuse(fmt::format("expected a compression of 0 to 9, found {}", options.compression));
    std::set<std::string> names = {"realization", "bounds"};
    const auto unique = [&](const std::string& name, const char* what) {
      if (!is_name(name))
        refuse(fmt::format("CF names are letters, digits and _, a letter first; found the {} \"{}\"", what, name));
      if (!names.insert(name).second) refuse(fmt::format("the name \"{}\" of a {} is taken", name, what));
    };
    const auto check_axis = [&](const FileAxis& axis) {
      unique(axis.name, "axis");
      const std::size_t size = axis.values.size();
      if (size == 0) refuse(fmt::format("axis \"{}\" has no values", axis.name));
      if (axis.bounds.empty()) return;
      if (axis.bounds.size() != 2 * size)
        refuse(fmt::format("axis \"{}\": expected {} bounds, found {}", axis.name, 2 * size, axis.bounds.size()));
      unique(axis.name + "_bnds", "bounds variable");
    };
    std::vector<std::int64_t> grid;
    const auto times = [&](std::int64_t size, std::size_t extent) {
      if (size > std::numeric_limits<std::int64_t>::max() / 64 / static_cast<std::int64_t>(extent))
        refuse("the grid is too large");
      return size * static_cast<std::int64_t>(extent);
    };
    for (const auto& axis : options.axes) {
      check_axis(axis);
      grid.push_back(static_cast<std::int64_t>(axis.values.size()));
      cells = times(cells, axis.values.size());
    }
    for (const auto& axis : options.element_axes) check_axis(axis);
    for (const auto& coordinate : options.coordinates) {
      unique(coordinate.name, "coordinate");
      std::int64_t size = 1;
      for (const std::size_t axis : coordinate.axes) size *= grid.at(axis);
      if (static_cast<std::int64_t>(coordinate.values.size()) != size)
        refuse(fmt::format("coordinate \"{}\": expected {} values, found {}", coordinate.name, size,
                           coordinate.values.size()));
    }
    for (const auto& field : options.fields) {
      unique(field.name, "field");
      if (field.units.empty()) refuse(fmt::format("field \"{}\" has no units", field.name));
      FieldShape shape{grid, {}, 1};
      for (const auto& name : field.dimensions) {
        const auto& all = options.element_axes;
        const auto axis = std::find_if(all.begin(), all.end(), [&](const FileAxis& one) { return one.name == name; });
        if (axis == all.end()) refuse(fmt::format("field \"{}\": there is no element axis \"{}\"", field.name, name));
        shape.own.push_back(static_cast<std::size_t>(axis - all.begin()));
        shape.extents.push_back(static_cast<std::int64_t>(axis->values.size()));
        shape.elements = times(shape.elements, axis->values.size());
      }
      times(cells, static_cast<std::size_t>(shape.elements));
      numbers += cells * shape.elements;
      shapes.push_back(std::move(shape));
    }
    // One buffer a field, at most 1 MiB each and 64 MiB together.
    const auto count = static_cast<std::int64_t>(options.fields.size());
    buffer_size = std::clamp<std::int64_t>((64 << 20) / (8 * count), 1024, (1 << 20) / 8);
    make_folder();
  }

  ~Implementation() { abandon(); }

  void make_folder() const {
    std::error_code error;
    fs::create_directories(options.folder, error);
    if (error || !fs::is_directory(options.folder))
      throw Error(Status::io_error, fmt::format("cannot make the folder \"{}\": {}", options.folder.string(),
                                                error ? error.message() : "it is no folder"));
  }

  bool single() const { return options.storage == Storage::f32; }
  double fill() const { return single() ? static_cast<double>(NC_FILL_FLOAT) : NC_FILL_DOUBLE; }

  std::uint64_t needed() const {
    const std::uint64_t values = static_cast<std::uint64_t>(numbers) * (single() ? 4 : 8);
    std::uint64_t rest = std::uint64_t{64} << 10;
    for (const auto* const axes : {&options.axes, &options.element_axes})
      for (const auto& axis : *axes) rest += 8 * (axis.values.size() + axis.bounds.size());
    for (const auto& coordinate : options.coordinates) rest += 4096 + 8 * coordinate.values.size();
    rest += 4096 * options.fields.size();
    for (const auto& [name, value] : options.global_attributes) rest += name.size() + value.size();
    // Compressed values of a random field hardly shrink; a little more for the index of chunks.
    return values + rest + (options.compression > 0 ? values / 64 : 0);
  }

  std::string free_now() const noexcept {
    try {
      return size_text(free_space(path));
    } catch (...) {
      return "unknown bytes";
    }
  }

  [[noreturn]] void fail(int code, const std::string& what) {
    // HDF5 gives no reason; the system's last one is it. After a failed write HDF5 must not be touched again.
    const int reason = code > 0 ? code : errno;
    const bool full = reason == ENOSPC || reason == EDQUOT;
    write_failed = true;
    is_open = false;
    file = -1;
    std::error_code ignored;
    fs::remove(temporary, ignored);
    const std::string why = reason != 0 ? std::generic_category().message(reason) : std::string(nc_strerror(code));
    if (full)
      throw Error(Status::no_space,
                  fmt::format("the disk filled up while {} of \"{}\" was written: {}; the file needs {}, part of it is "
                              "removed, and {} are free in \"{}\" besides",
                              what, path.string(), why, size_text(needed()), free_now(), options.folder.string()));
    throw Error(Status::io_error, fmt::format("cannot write {} of \"{}\": {}", what, path.string(), why));
  }

  void check(int code, const std::string& what) {
    if (code != NC_NOERR) fail(code, what);
  }

  void put_text(int variable, const std::string& name, const std::string& value) {
    check(nc_put_att_text(file, variable, name.c_str(), value.size(), value.c_str()), "attribute \"" + name + "\"");
  }

  void open(std::int64_t number) {
    if (write_failed)
      throw Error(Status::io_error, "an earlier write failed: HDF5 cannot write any further file in this process");
    if (is_open) throw Error(Status::invalid_argument, "close() the member in progress before the next is opened");
    if (number < 1 || number > std::numeric_limits<int>::max())
      throw Error(Status::invalid_argument, fmt::format("expected a member number from 1, found {}", number));
    path = options.folder / fmt::format("{}_{:04}.nc", options.stem, number);
    const std::uint64_t found = free_space(path);
    if (found < needed())
      throw Error(Status::no_space, fmt::format("\"{}\" needs {}, found {} free in \"{}\"", path.string(),
                                                size_text(needed()), size_text(found), options.folder.string()));
    temporary = temporary_name_for(path);
    errno = 0;
    if (const int code = nc_create(temporary.c_str(), NC_NETCDF4 | NC_CLASSIC_MODEL | NC_CLOBBER, &file);
        code != NC_NOERR) {
      // Nothing was written: HDF5 is still sound.
      const int reason = code > 0 ? code : errno;
      std::error_code ignored;
      fs::remove(temporary, ignored);
      throw Error(reason == ENOSPC || reason == EDQUOT ? Status::no_space : Status::io_error,
                  fmt::format("cannot make \"{}\": {}", path.string(),
                              reason != 0 ? std::generic_category().message(reason) : std::string(nc_strerror(code))));
    }
    is_open = true;
    define(static_cast<int>(number));
  }

  void define(int number) {
    put_text(NC_GLOBAL, "Conventions", "CF-1.8");
    for (const auto& [name, value] : options.global_attributes)
      if (name != "Conventions") put_text(NC_GLOBAL, name, value);

    std::vector<DefinedAxis> grid, own;
    int two = -1;
    for (const auto& axis : options.axes) grid.push_back(define_axis(axis, two));
    for (const auto& axis : options.element_axes) own.push_back(define_axis(axis, two, true));
    std::vector<int> coordinates;
    std::string coordinate_names;
    for (const auto& coordinate : options.coordinates) {
      coordinates.push_back(define_coordinate(coordinate, grid));
      coordinate_names += coordinate.name + " ";
    }

    int realization = -1;
    header(nc_def_var(file, "realization", NC_INT, 0, nullptr, &realization));
    put_text(realization, "standard_name", "realization");
    put_text(realization, "long_name", "member of the ensemble");
    put_text(realization, "units", "1");

    states.assign(options.fields.size(), {});
    for (std::size_t f = 0; f < options.fields.size(); ++f) define_field(f, grid, own, coordinate_names + "realization");
    header(nc_enddef(file));
    for (std::size_t d = 0; d < grid.size(); ++d) put_axis(options.axes[d], grid[d]);
    for (std::size_t d = 0; d < own.size(); ++d) put_axis(options.element_axes[d], own[d]);
    for (std::size_t c = 0; c < coordinates.size(); ++c)
      check(nc_put_var_double(file, coordinates[c], options.coordinates[c].values.data()),
            "coordinate \"" + options.coordinates[c].name + "\"");
    check(nc_put_var_int(file, realization, &number), "the member's number");
  }

  void header(int code) { check(code, "the header"); }

  struct DefinedAxis {
    int dimension = -1, variable = -1, bounds = -1;
  };

  DefinedAxis define_axis(const FileAxis& axis, int& two, bool own = false) {
    DefinedAxis defined;
    header(nc_def_dim(file, axis.name.c_str(), axis.values.size(), &defined.dimension));
    if (own && axis.counted) return defined;  // indices are no levels
    header(nc_def_var(file, axis.name.c_str(), NC_DOUBLE, 1, &defined.dimension, &defined.variable));
    auto attributes = kept_attributes(axis.attributes);
    complete_axis(axis, attributes);
    if (!axis.units.empty()) put_text(defined.variable, "units", axis.units);
    if (!axis.bounds.empty()) {
      if (two < 0) header(nc_def_dim(file, "bounds", 2, &two));
      const std::string bounds = axis.name + "_bnds";
      const int shape[2] = {defined.dimension, two};
      header(nc_def_var(file, bounds.c_str(), NC_DOUBLE, 2, shape, &defined.bounds));
      attributes["bounds"] = bounds;
    }
    for (const auto& [name, value] : attributes) put_text(defined.variable, name, value);
    return defined;
  }

  void put_axis(const FileAxis& axis, const DefinedAxis& defined) {
    if (defined.variable < 0) return;
    check(nc_put_var_double(file, defined.variable, axis.values.data()), "axis \"" + axis.name + "\"");
    if (defined.bounds >= 0)
      check(nc_put_var_double(file, defined.bounds, axis.bounds.data()), "the bounds of \"" + axis.name + "\"");
  }

  int define_coordinate(const FileCoordinate& coordinate, const std::vector<DefinedAxis>& grid) {
    std::vector<int> shape;
    for (const std::size_t axis : coordinate.axes) shape.push_back(grid[axis].dimension);
    int variable = -1;
    header(nc_def_var(file, coordinate.name.c_str(), NC_DOUBLE, static_cast<int>(shape.size()), shape.data(), &variable));
    if (!coordinate.units.empty()) put_text(variable, "units", coordinate.units);
    for (const auto& [name, value] : kept_attributes(coordinate.attributes)) put_text(variable, name, value);
    return variable;
  }

  void define_field(std::size_t f, const std::vector<DefinedAxis>& grid, const std::vector<DefinedAxis>& own,
                    const std::string& coordinates) {
    const nc_type type = single() ? NC_FLOAT : NC_DOUBLE;
    const EnsembleField& field = options.fields[f];
    std::vector<int> dimensions;
    for (const DefinedAxis& axis : grid) dimensions.push_back(axis.dimension);
    for (const std::size_t axis : shapes[f].own) dimensions.push_back(own[axis].dimension);
    int& variable = states[f].variable;
    header(nc_def_var(file, field.name.c_str(), type, static_cast<int>(dimensions.size()), dimensions.data(), &variable));
    // Gaps are filled at the end; else every value would be written twice.
    header(nc_def_var_fill(file, variable, NC_NOFILL, nullptr));
    if (single()) {
      const float value = NC_FILL_FLOAT;
      header(nc_put_att_float(file, variable, "_FillValue", type, 1, &value));
    } else {
      const double value = NC_FILL_DOUBLE;
      header(nc_put_att_double(file, variable, "_FillValue", type, 1, &value));
    }
    if (options.compression > 0) {
      const auto chunk = chunks(shapes[f].extents);
      header(nc_def_var_chunking(file, variable, NC_CHUNKED, chunk.data()));
      // The stream touches at most two chunks of a field at a time.
      header(nc_set_var_chunk_cache(file, variable, std::size_t{4} << 20, 101, 1.0F));
      header(nc_def_var_deflate(file, variable, 1, 1, options.compression));
    } else {
      header(nc_def_var_chunking(file, variable, NC_CONTIGUOUS, nullptr));
    }
    put_text(variable, "units", field.units);
    if (!field.standard_name.empty()) put_text(variable, "standard_name", field.standard_name);
    if (!field.long_name.empty()) put_text(variable, "long_name", field.long_name);
    put_text(variable, "coordinates", coordinates);
    const auto room = static_cast<std::size_t>(std::min(buffer_size, cells * shapes[f].elements));
    if (single())
      states[f].floats.reserve(room);
    else
      states[f].doubles.reserve(room);
  }

  // Whole trailing dimensions up to about 1 MiB: a stream in flat order touches one chunk after the other.
  std::vector<std::size_t> chunks(const std::vector<std::int64_t>& extents) const {
    std::vector<std::size_t> result(extents.size(), 1);
    std::int64_t room = (1 << 20) / (single() ? 4 : 8);
    for (std::size_t d = extents.size(); d-- > 0 && room > 0;) {
      const std::int64_t take = std::min(extents[d], room);
      result[d] = static_cast<std::size_t>(take);
      room = take < extents[d] ? 0 : room / take;
    }
    return result;
  }

  std::size_t field_index(const std::string& name) const {
    for (std::size_t f = 0; f < options.fields.size(); ++f)
      if (options.fields[f].name == name) return f;
    std::string names;
    for (const auto& field : options.fields) names += (names.empty() ? "" : ", ") + field.name;
    throw Error(Status::invalid_argument, fmt::format("no field \"{}\" in this ensemble; it has {}", name, names));
  }

  static std::int64_t buffered(const FieldState& state) {
    return static_cast<std::int64_t>(state.doubles.size() + state.floats.size());
  }

  void write(const std::string& name, std::int64_t first, std::span<const double> values) {
    if (!is_open) throw Error(Status::invalid_argument, "open() a member before values are written");
    const std::size_t f = field_index(name);
    const auto count = static_cast<std::int64_t>(values.size());
    const std::int64_t elements = shapes[f].elements;
    if (count % elements != 0)
      throw Error(Status::invalid_argument, fmt::format("field \"{}\": expected {} values a cell, found {} in all", name,
                                                        elements, count));
    if (first < 0 || first > cells - count / elements)
      throw Error(Status::invalid_argument, fmt::format("cells {} to {} of field \"{}\", whose grid has {}", first,
                                                        first + count / elements, name, cells));
    check_values(name, first, values, elements);
    first *= elements;
    FieldState& state = states[f];
    if (buffered(state) > 0 && state.buffer_first + buffered(state) != first) flush(f);
    for (std::int64_t done = 0; done < count;) {
      if (buffered(state) == 0) state.buffer_first = first + done;
      const std::int64_t take = std::min(count - done, buffer_size - buffered(state));
      for (std::int64_t i = done; i < done + take; ++i) {
        const double value = std::isnan(values[i]) ? fill() : values[i];
        if (single())
          state.floats.push_back(static_cast<float>(value));
        else
          state.doubles.push_back(value);
      }
      done += take;
      if (buffered(state) == buffer_size) flush(f);
    }
  }

  // Before anything of this piece is buffered.
  void check_values(const std::string& name, std::int64_t first, std::span<const double> values,
                    std::int64_t elements) const {
    const double limit = single() ? static_cast<double>(std::numeric_limits<float>::max())
                                  : std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (std::abs(values[i]) > limit)
        throw Error(std::isinf(values[i]) ? Status::non_finite : Status::out_of_range,
                    fmt::format("field \"{}\", cell {}: {} cannot be stored as {}", name,
                                first + static_cast<std::int64_t>(i) / elements, values[i], single() ? "float" : "double"));
  }

  void flush(std::size_t f) {
    FieldState& state = states[f];
    const std::int64_t count = buffered(state);
    if (count == 0) return;
    const std::string what = "field \"" + options.fields[f].name + "\"";
    errno = 0;
    for (const auto& slab : detail::hyperslabs(shapes[f].extents, state.buffer_first, count)) {
      const std::int64_t offset = slab.first - state.buffer_first;
      check(single() ? nc_put_vara_float(file, state.variable, slab.start.data(), slab.count.data(),
                                         state.floats.data() + offset)
                     : nc_put_vara_double(file, state.variable, slab.start.data(), slab.count.data(),
                                          state.doubles.data() + offset),
            what);
    }
    state.coverage.add(state.buffer_first, state.buffer_first + count);
    state.floats.clear();
    state.doubles.clear();
  }

  void attribute(const std::string& name, const std::string& text) {
    if (!is_open) throw Error(Status::invalid_argument, "no member is open");
    errno = 0;
    check(nc_redef(file), "attribute \"" + name + "\"");
    put_text(NC_GLOBAL, name, text);
    check(nc_enddef(file), "attribute \"" + name + "\"");
  }

  fs::path close() {
    if (!is_open) throw Error(Status::invalid_argument, "no member is open");
    for (std::size_t f = 0; f < states.size(); ++f) {
      flush(f);
      for (const auto& gap : states[f].coverage.gaps(cells * shapes[f].elements)) {
        for (std::int64_t at = gap.first; at < gap.end; at += buffer_size) {
          const std::int64_t count = std::min(buffer_size, gap.end - at);
          states[f].buffer_first = at;
          if (single())
            states[f].floats.assign(static_cast<std::size_t>(count), NC_FILL_FLOAT);
          else
            states[f].doubles.assign(static_cast<std::size_t>(count), NC_FILL_DOUBLE);
          flush(f);
        }
      }
    }
    errno = 0;
    check(nc_close(file), "the end");
    is_open = false;
    file = -1;
    try {
      commit_file(temporary, path);
    } catch (...) {
      std::error_code ignored;
      fs::remove(temporary, ignored);
      throw;
    }
    return path;
  }

  // Leaves nothing behind of a member in progress.
  void abandon() noexcept {
    if (!is_open) return;
    is_open = false;
    // Unlinked first: should closing fail on a full disk, no part of a file stays.
    std::error_code ignored;
    fs::remove(temporary, ignored);
    if (nc_close(file) != NC_NOERR) write_failed = true;
    file = -1;
  }
};

EnsembleWriter::EnsembleWriter(EnsembleOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

EnsembleWriter::~EnsembleWriter() = default;

void EnsembleWriter::open(std::int64_t number) { implementation_->open(number); }

void EnsembleWriter::write(const std::string& field, std::int64_t first, std::span<const double> values) {
  implementation_->write(field, first, values);
}

void EnsembleWriter::attribute(const std::string& name, const std::string& text) {
  implementation_->attribute(name, text);
}

fs::path EnsembleWriter::close() { return implementation_->close(); }

}  // namespace lavoisier
