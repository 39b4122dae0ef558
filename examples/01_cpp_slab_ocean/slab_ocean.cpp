// A slab ocean that takes its surface fluxes from a trained emulator: the mixed layer's temperature is stepped for a year,
// month by month, on the grid of Esbensen and Kushnir's heat budget,
//
//   rho cp h dT/dt = FDH - Q,
//
// FDH drawn by the emulator from the state (wind, humidity, cloud and pressure of the month as published, temperature
// our own), Q the heat that currents carry away: the cell's published FDH, averaged over its year. Every month prints
// the global heat budget; a budget that does not close ends the program with an error.
//
//   slab_ocean [--break] MODEL [OCEAN]

#include <lavoisier/emulator_kokkos.hpp>
#include <lavoisier/monitor.hpp>

#include <Kokkos_Core.hpp>
#include <netcdf.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using HostView = Kokkos::View<double*, Kokkos::HostSpace>;

constexpr int months = 12;
constexpr double pi = 3.14159265358979323846;
constexpr double rho_cp_h = 1025.0 * 3990.0 * 50.0;           // J m-2 K-1, 50 m of sea water
constexpr double month_seconds = 365.25 * 86400.0 / months;

// What double precision leaves of an identity summed over the grid, relative to the sum of its |terms|.
constexpr double tolerance = 1e-13;

void check(int status, const std::string& what) {
  if (status != NC_NOERR) throw std::runtime_error(what + ": " + nc_strerror(status));
}

/// The published climatology: [month][cell], NaN where there is none.
class OceanFile {
 public:
  explicit OceanFile(const std::string& path) {
    check(nc_open(path.c_str(), NC_NOWRITE, &file_), path);
    latitudes = axis("ESKUY");
    edges = axis("ESKUYedges");
    longitudes = axis("ESKUX").size();
    cells = latitudes.size() * longitudes;
  }
  ~OceanFile() { nc_close(file_); }

  std::vector<double> read(const char* name) const {
    int variable = 0;
    check(nc_inq_varid(file_, name, &variable), name);
    std::vector<double> values(months * cells);
    check(nc_get_var_double(file_, variable, values.data()), name);
    for (double& value : values)
      if (value > 1e30) value = std::nan("");
    return values;
  }

  std::vector<double> latitudes, edges;
  std::size_t longitudes = 0, cells = 0;

 private:
  std::vector<double> axis(const char* name) const {
    int dimension = 0, variable = 0;
    std::size_t length = 0;
    check(nc_inq_dimid(file_, name, &dimension), name);
    check(nc_inq_dimlen(file_, dimension, &length), name);
    check(nc_inq_varid(file_, name, &variable), name);
    std::vector<double> values(length);
    check(nc_get_var_double(file_, variable, values.data()), name);
    return values;
  }
  int file_ = 0;
};

/// Saturation specific humidity over sea water, g/kg (Bolton 1980, eq. 10), at `pressure` hPa.
double saturation_humidity(double celsius, double pressure) {
  const double vapour = 0.98 * 6.112 * std::exp(17.67 * celsius / (celsius + 243.5));
  return 622.0 * vapour / (pressure - 0.378 * vapour);
}

struct Identity {
  double residual = 0.0, size = 0.0;
  void add(double term) {
    residual += term;
    size += std::abs(term);
  }
  double relative() const { return residual == 0.0 ? 0.0 : std::abs(residual) / size; }
};

int run(const std::string& model_path, const std::string& ocean_path, bool broken) {
  const OceanFile file(ocean_path);
  const std::size_t cells = file.cells;
  const char* published_names[] = {"SPD", "SST", "SAT", "AH", "SAH", "CLD", "SLP", "FDH"};
  std::vector<std::vector<double>> published;
  for (const char* name : published_names) published.push_back(file.read(name));
  const auto &spd = published[0], &sst = published[1], &sat = published[2], &ah = published[3], &sah = published[4],
             &cld = published[5], &slp = published[6], &fdh_published = published[7];

  // The ocean: cells with a complete year.
  std::vector<std::uint8_t> ocean(cells, 1);
  HostView area("area", cells), q("Q", cells), temperature("temperature", cells);
  double total_area = 0.0;
  for (std::size_t c = 0; c < cells; ++c) {
    for (const auto& field : published)
      for (int month = 0; month < months; ++month)
        if (std::isnan(field[month * cells + c])) ocean[c] = 0;
    const std::size_t y = c / file.longitudes;
    const auto sine = [](double degrees) { return std::sin(std::fmin(std::fmax(degrees, -90.0), 90.0) * pi / 180.0); };
    area(c) = sine(file.edges[y + 1]) - sine(file.edges[y]);
    if (!ocean[c]) continue;
    total_area += area(c);
    temperature(c) = sst[c];
    for (int month = 0; month < months; ++month) q(c) += fdh_published[month * cells + c] / months;
  }

  lavoisier::initialize();  // Kokkos is this host's and runs already
  const auto model = lavoisier::Model::load(model_path);
  lavoisier::WorkspaceOptions options;
  options.max_columns = static_cast<std::int64_t>(cells);
  options.seed = 1;
  lavoisier::Workspace emulator(model, options);
  std::printf("model %.16s..., strategy %s, on %s (%s)\n", model->digest().c_str(), model->strategy().c_str(),
              emulator.backend().c_str(), emulator.instruction_set().c_str());

  // The emulator reads and writes these views where they lie.
  const char* input_names[] = {"SPD", "SST", "SAT", "AH", "SAH", "CLD", "SLP",
                               "sin_latitude", "cos_latitude", "sin_month", "cos_month"};
  const char* input_units[] = {"m s-1", "degC", "K", "g kg-1", "g kg-1", "1", "hPa", "1", "1", "1", "1"};
  const char* output_names[] = {"FSR", "FUL", "FDR", "FLH", "FSH", "FDH"};
  std::vector<HostView> in, out;
  std::vector<lavoisier::InputField> inputs;
  std::vector<lavoisier::OutputField> outputs;
  for (int i = 0; i < 11; ++i) {
    in.emplace_back(std::string(input_names[i]), cells);
    inputs.push_back(lavoisier::input_field(input_names[i], in.back(), input_units[i]));
  }
  for (int i = 0; i < 6; ++i) {
    out.emplace_back(std::string(output_names[i]), cells);
    outputs.push_back(lavoisier::output_field(output_names[i], out.back(), "W m-2"));
  }
  // A monitor beside it, against the published fluxes: what a scheme of our own would be.
  std::vector<std::vector<double>> published_fluxes;
  for (const char* name : output_names) published_fluxes.push_back(file.read(name));
  std::vector<lavoisier::Status> status(cells);
  lavoisier::MonitorOptions watch;
  watch.stop = true;
  lavoisier::Monitor monitor(model, watch);
  const HostView fsr = out[0], ful = out[1], flh = out[3], fsh = out[4], fdh = out[5];

  std::printf("%zu ocean cells; global means, W m-2 (SST: degC)\n", static_cast<std::size_t>([&] {
                std::size_t n = 0;
                for (const auto o : ocean) n += o;
                return n;
              }()));
  std::printf("month    SST     FSR     FUL     FLH     FSH     FDH       Q  stored   fluxes' misfit  heat's misfit\n");
  bool closed = true;
  double mean_fdh = 0.0, mean_published = 0.0;
  for (int month = 0; month < months; ++month) {
    using Host = Kokkos::DefaultHostExecutionSpace;
    const std::size_t offset = static_cast<std::size_t>(month) * cells;
    Kokkos::parallel_for("slab_ocean::state", Kokkos::RangePolicy<Host>(0, static_cast<int>(cells)), [&](const int c) {
      if (!ocean[c]) return;
      const std::size_t at = offset + static_cast<std::size_t>(c);
      const double latitude = file.latitudes[static_cast<std::size_t>(c) / file.longitudes] * pi / 180.0;
      const double angle = 2.0 * pi * month / months;
      // The air is the published one: its differences to the sea follow our temperature.
      const double warmer = temperature(c) - sst[at];
      const double values[] = {spd[at], temperature(c), sat[at] + warmer, ah[at],
                               sah[at] + saturation_humidity(temperature(c), slp[at]) -
                                   saturation_humidity(sst[at], slp[at]),
                               cld[at], slp[at], std::sin(latitude), std::cos(latitude), std::sin(angle),
                               std::cos(angle)};
      for (int i = 0; i < 11; ++i) in[static_cast<std::size_t>(i)](c) = values[i];
    });
    Host().fence();

    lavoisier::RunArguments arguments;
    arguments.inputs = inputs.data();
    arguments.input_count = inputs.size();
    arguments.outputs = outputs.data();
    arguments.output_count = outputs.size();
    arguments.columns = static_cast<std::int64_t>(cells);
    arguments.mask = ocean.data();
    arguments.step = static_cast<std::uint64_t>(month);
    arguments.status = status.data();
    const lavoisier::RunReport& report = emulator.run(arguments);
    if (report.non_finite > 0 || report.rank_deficient > 0)
      throw std::runtime_error("the emulator could not compute " + std::to_string(report.non_finite + report.rank_deficient) + " cells");

    if (broken && month == 6) {
      std::size_t c = 0;
      while (!ocean[c]) ++c;
      flh(c) += 0.01;
    }

    std::vector<lavoisier::OutputField> own = outputs;
    for (std::size_t i = 0; i < own.size(); ++i) own[i].data = published_fluxes[i].data() + offset;
    monitor.add(arguments, own.data(), own.size());
    if (monitor.end_step(arguments.step) != lavoisier::Status::ok) {
      std::fprintf(stderr, "%s\n", monitor.report().message.c_str());
      closed = false;
    }

    // Step the slab; the budget, area-weighted: the fluxes among themselves, and the heat stored against them.
    Identity fluxes, heat;
    double sums[8] = {};
    for (std::size_t c = 0; c < cells; ++c) {
      if (!ocean[c]) continue;
      const double weight = area(c) / total_area;
      const double before = temperature(c);
      temperature(c) = before + month_seconds / rho_cp_h * (fdh(c) - q(c));
      for (const double term : {fsr(c), -ful(c), -flh(c), -fsh(c), -fdh(c)}) fluxes.add(weight * term);
      for (const double term : {rho_cp_h * temperature(c) / month_seconds, -rho_cp_h * before / month_seconds, -fdh(c), q(c)})
        heat.add(weight * term);
      const double parts[] = {temperature(c), fsr(c), ful(c), flh(c), fsh(c), fdh(c), q(c),
                              rho_cp_h * (temperature(c) - before) / month_seconds};
      for (int i = 0; i < 8; ++i) sums[i] += weight * parts[i];
      mean_fdh += weight * fdh(c) / months;
      mean_published += weight * fdh_published[offset + c] / months;
      if (!(temperature(c) > -30.0 && temperature(c) < 60.0)) throw std::runtime_error("the sea has left any climate");
    }
    std::printf("%5d %6.2f %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f %16.1e %14.1e\n", month + 1, sums[0], sums[1],
                sums[2], sums[3], sums[4], sums[5], sums[6], sums[7], fluxes.relative(), heat.relative());
    if (!(fluxes.relative() <= tolerance)) {
      std::fprintf(stderr, "month %d: the surface fluxes do not add up: FSR - FUL - FLH - FSH - FDH = %.3e W m-2\n",
                   month + 1, fluxes.residual);
      closed = false;
    }
    if (!(heat.relative() <= tolerance)) {
      std::fprintf(stderr, "month %d: the heat stored is not the heat that came in: %.3e W m-2\n", month + 1, heat.residual);
      closed = false;
    }
    for (std::size_t l = 0; l < report.laws.size(); ++l)
      if (!(report.laws[l].max_relative <= 1e-14)) {
        std::fprintf(stderr, "month %d: the emulator's own count of %s: %.1e in cell %lld\n", month + 1,
                     model->laws()[l].name.c_str(), report.laws[l].max_relative,
                     static_cast<long long>(report.laws[l].worst_column));
        closed = false;
      }
  }
  std::printf("December against the published fluxes:");
  for (const auto& flux : monitor.report().variables) std::printf(" %s rmse %.1f,", flux.name.c_str(), flux.rmse);
  std::printf(" W m-2\n");
  std::printf("year: FDH %.2f W m-2, published %.2f W m-2\n", mean_fdh, mean_published);
  if (std::abs(mean_fdh - mean_published) > 25.0) {
    std::fprintf(stderr, "the year's heat uptake is not that of this ocean\n");
    closed = false;
  }
  std::printf(closed ? "the global heat budget closes\n" : "the global heat budget does NOT close\n");
  return closed ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  bool broken = false;
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--break") == 0)
      broken = true;
    else
      paths.emplace_back(argv[i]);
  if (paths.empty() || paths.size() > 2) {
    std::fprintf(stderr, "usage: %s [--break] MODEL [OCEAN]\n", argv[0]);
    return 1;
  }
  if (paths.size() == 1) paths.emplace_back("/usr/share/ferret-vis/data/esku_heat_budget.cdf");
  Kokkos::initialize();
  int code = 0;
  try {
    code = run(paths[0], paths[1], broken);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    code = 2;
  }
  Kokkos::finalize();
  return code;
}
