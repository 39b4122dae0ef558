/* The slab ocean of example 01 in C99: the emulator through its C interface, called row by row (one circle of latitude
   a call, as hosts call their physics in blocks), fields of records (one structure a cell) instead of arrays.

     rho cp h dT/dt = FDH - Q

     slab_ocean [--break] MODEL [OCEAN] */

#include <lavoisier/lavoisier.h>

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { months = 12, rows = 46, longitudes = 72, cells = rows * longitudes, input_count = 11, output_count = 6, published_count = 8 };
static const double pi = 3.14159265358979323846;
static const double rho_cp_h = 1025.0 * 3990.0 * 50.0; /* J m-2 K-1, 50 m of sea water */
static const double month_seconds = 365.25 * 86400.0 / 12.0;
static const double tolerance = 1e-13; /* of an identity summed over the grid, relative to the sum of its |terms| */

static const char* const input_names[input_count] = {"SPD", "SST", "SAT", "AH", "SAH", "CLD", "SLP",
                                                     "sin_latitude", "cos_latitude", "sin_month", "cos_month"};
static const char* const input_units[input_count] = {"m s-1", "degC", "K", "g kg-1", "g kg-1", "1",
                                                     "hPa", "1", "1", "1", "1"};
enum { FSR, FUL, FDR, FLH, FSH, FDH };
static const char* const output_names[output_count] = {"FSR", "FUL", "FDR", "FLH", "FSH", "FDH"};
enum { SPD, SST, SAT, AH, SAH, CLD, SLP, FDH_PUBLISHED };
static const char* const published_names[published_count] = {"SPD", "SST", "SAT", "AH", "SAH", "CLD", "SLP", "FDH"};

typedef struct {
  double in[input_count];
  double out[output_count];
  double temperature, area, q;
} Cell;

static double published[published_count][months][cells];
static double latitudes[rows], edges[rows + 1];
static Cell grid[cells];
static uint8_t ocean[cells];

static int failed_netcdf(int status, const char* what) {
  if (status == NC_NOERR) return 0;
  fprintf(stderr, "%s: %s\n", what, nc_strerror(status));
  return 1;
}

static int read_variable(int file, const char* name, double* values) {
  int variable = 0;
  return failed_netcdf(nc_inq_varid(file, name, &variable), name) ||
         failed_netcdf(nc_get_var_double(file, variable, values), name);
}

static int read_ocean(const char* path) {
  int file = 0, bad = 0, i;
  size_t length = 0;
  int dimension = 0;
  if (failed_netcdf(nc_open(path, NC_NOWRITE, &file), path)) return 1;
  bad = failed_netcdf(nc_inq_dimid(file, "ESKUX", &dimension), "ESKUX") ||
        failed_netcdf(nc_inq_dimlen(file, dimension, &length), "ESKUX");
  if (!bad && length != longitudes) {
    fprintf(stderr, "%s: expected %d longitudes, found %lu\n", path, longitudes, (unsigned long)length);
    bad = 1;
  }
  bad = bad || read_variable(file, "ESKUY", latitudes) || read_variable(file, "ESKUYedges", edges);
  for (i = 0; !bad && i < published_count; ++i) bad = read_variable(file, published_names[i], &published[i][0][0]);
  nc_close(file);
  return bad;
}

static int failed(lav_status status, const char* what) {
  if (status == LAV_OK) return 0;
  fprintf(stderr, "%s: %s: %s\n", what, lav_status_name(status), lav_last_error());
  return 1;
}

/* Saturation specific humidity over sea water, g/kg (Bolton 1980, eq. 10). */
static double saturation_humidity(double celsius, double pressure) {
  const double vapour = 0.98 * 6.112 * exp(17.67 * celsius / (celsius + 243.5));
  return 622.0 * vapour / (pressure - 0.378 * vapour);
}

static double sine(double degrees) { return sin(fmin(fmax(degrees, -90.0), 90.0) * pi / 180.0); }

typedef struct {
  double residual, size;
} Identity;
static void add(Identity* identity, double term) {
  identity->residual += term;
  identity->size += fabs(term);
}
static double relative(const Identity* identity) {
  return identity->residual == 0.0 ? 0.0 : fabs(identity->residual) / identity->size;
}

/* One month's fluxes, one circle of latitude a call. Returns the worst relative residual of a law, negative on failure. */
static double emulate(lav_workspace* workspace, size_t law_count, int month) {
  double worst = 0.0;
  int row, i;
  size_t l;
  for (row = 0; row < rows; ++row) {
    lav_input_field inputs[input_count];
    lav_output_field outputs[output_count];
    lav_run_arguments arguments = LAV_RUN_ARGUMENTS_INIT;
    lav_run_report report = LAV_RUN_REPORT_INIT;
    Cell* first = grid + row * longitudes;
    const int64_t stride = (int64_t)(sizeof(Cell) / sizeof(double));
    for (i = 0; i < input_count; ++i) {
      const lav_input_field field = {input_names[i], input_units[i], &first->in[i], LAV_F64, LAV_HOST, longitudes, 1, stride, 1};
      inputs[i] = field;
    }
    for (i = 0; i < output_count; ++i) {
      const lav_output_field field = {output_names[i], "W m-2", &first->out[i], LAV_F64, LAV_HOST, longitudes, 1, stride, 1};
      outputs[i] = field;
    }
    arguments.inputs = inputs;
    arguments.input_count = input_count;
    arguments.outputs = outputs;
    arguments.output_count = output_count;
    arguments.columns = longitudes;
    arguments.mask = ocean + row * longitudes;
    arguments.first_column_id = (uint64_t)(row * longitudes);
    arguments.step = (uint64_t)month;
    if (failed(lav_run(workspace, &arguments, &report), "lav_run")) return -1.0;
    if (report.non_finite > 0 || report.rank_deficient > 0) {
      fprintf(stderr, "row %d: the emulator could not compute %ld cells\n", row,
              (long)(report.non_finite + report.rank_deficient));
      return -1.0;
    }
    for (l = 0; l < law_count; ++l) {
      lav_law_closure closure = LAV_LAW_CLOSURE_INIT;
      if (failed(lav_workspace_law_closure(workspace, l, &closure), "lav_workspace_law_closure")) return -1.0;
      if (!(closure.max_relative <= worst)) worst = closure.max_relative;
    }
  }
  return worst;
}

static int step_year(lav_workspace* workspace, size_t law_count, int broken) {
  double total_area = 0.0, mean_fdh = 0.0, mean_published = 0.0;
  int closed = 1, month, c, i, count = 0;
  for (c = 0; c < cells; ++c) {
    ocean[c] = 1;
    for (i = 0; i < published_count; ++i)
      for (month = 0; month < months; ++month)
        if (!(published[i][month][c] < 1e30)) ocean[c] = 0;
    grid[c].area = sine(edges[c / longitudes + 1]) - sine(edges[c / longitudes]);
    if (!ocean[c]) continue;
    ++count;
    total_area += grid[c].area;
    grid[c].temperature = published[SST][0][c];
    grid[c].q = 0.0;
    for (month = 0; month < months; ++month) grid[c].q += published[FDH_PUBLISHED][month][c] / months;
  }
  printf("%d ocean cells; global means, W m-2 (SST: degC)\n", count);
  printf("month    SST     FSR     FUL     FLH     FSH     FDH       Q  stored   fluxes' misfit  heat's misfit\n");
  for (month = 0; month < months; ++month) {
    Identity fluxes = {0.0, 0.0}, heat = {0.0, 0.0};
    double sums[8] = {0.0}, worst;
    const double angle = 2.0 * pi * month / months;
    for (c = 0; c < cells; ++c) {
      Cell* cell = grid + c;
      const double latitude = latitudes[c / longitudes] * pi / 180.0;
      double warmer;
      if (!ocean[c]) continue;
      for (i = 0; i < FDH_PUBLISHED; ++i) cell->in[i] = published[i][month][c];
      /* The air is the published one: its differences to the sea follow our temperature. */
      warmer = cell->temperature - cell->in[SST];
      cell->in[SAH] += saturation_humidity(cell->temperature, cell->in[SLP]) - saturation_humidity(cell->in[SST], cell->in[SLP]);
      cell->in[SAT] += warmer;
      cell->in[SST] = cell->temperature;
      cell->in[7] = sin(latitude);
      cell->in[8] = cos(latitude);
      cell->in[9] = sin(angle);
      cell->in[10] = cos(angle);
    }
    worst = emulate(workspace, law_count, month);
    if (worst < 0.0) return 2;
    if (broken && month == 6) {
      for (c = 0; !ocean[c];) ++c;
      grid[c].out[FLH] += 0.01;
    }
    for (c = 0; c < cells; ++c) {
      Cell* cell = grid + c;
      const double weight = cell->area / total_area, before = cell->temperature;
      if (!ocean[c]) continue;
      cell->temperature = before + month_seconds / rho_cp_h * (cell->out[FDH] - cell->q);
      add(&fluxes, weight * cell->out[FSR]);
      add(&fluxes, -weight * cell->out[FUL]);
      add(&fluxes, -weight * cell->out[FLH]);
      add(&fluxes, -weight * cell->out[FSH]);
      add(&fluxes, -weight * cell->out[FDH]);
      add(&heat, weight * rho_cp_h * cell->temperature / month_seconds);
      add(&heat, -weight * rho_cp_h * before / month_seconds);
      add(&heat, -weight * cell->out[FDH]);
      add(&heat, weight * cell->q);
      sums[0] += weight * cell->temperature;
      sums[1] += weight * cell->out[FSR];
      sums[2] += weight * cell->out[FUL];
      sums[3] += weight * cell->out[FLH];
      sums[4] += weight * cell->out[FSH];
      sums[5] += weight * cell->out[FDH];
      sums[6] += weight * cell->q;
      sums[7] += weight * rho_cp_h * (cell->temperature - before) / month_seconds;
      mean_fdh += weight * cell->out[FDH] / months;
      mean_published += weight * published[FDH_PUBLISHED][month][c] / months;
      if (!(cell->temperature > -30.0 && cell->temperature < 60.0)) {
        fprintf(stderr, "the sea has left any climate\n");
        return 3;
      }
    }
    printf("%5d %6.2f %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f %16.1e %14.1e\n", month + 1, sums[0], sums[1], sums[2],
           sums[3], sums[4], sums[5], sums[6], sums[7], relative(&fluxes), relative(&heat));
    if (!(relative(&fluxes) <= tolerance)) {
      fprintf(stderr, "month %d: the surface fluxes do not add up: FSR - FUL - FLH - FSH - FDH = %.3e W m-2\n", month + 1,
              fluxes.residual);
      closed = 0;
    }
    if (!(relative(&heat) <= tolerance)) {
      fprintf(stderr, "month %d: the heat stored is not the heat that came in: %.3e W m-2\n", month + 1, heat.residual);
      closed = 0;
    }
    if (!(worst <= 1e-14)) {
      fprintf(stderr, "month %d: the emulator's own count of its laws: %.1e\n", month + 1, worst);
      closed = 0;
    }
  }
  printf("year: FDH %.2f W m-2, published %.2f W m-2\n", mean_fdh, mean_published);
  if (fabs(mean_fdh - mean_published) > 25.0) {
    fprintf(stderr, "the year's heat uptake is not that of this ocean\n");
    closed = 0;
  }
  printf("%s\n", closed ? "the global heat budget closes" : "the global heat budget does NOT close");
  return closed ? 0 : 3;
}

int main(int argc, char** argv) {
  const char* model_path = NULL;
  const char* ocean_path = "/usr/share/ferret-vis/data/esku_heat_budget.cdf";
  lav_model* model = NULL;
  lav_workspace* workspace = NULL;
  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  int broken = 0, given = 0, code = 2, i;
  for (i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--break") == 0)
      broken = 1;
    else if (given++ == 0)
      model_path = argv[i];
    else
      ocean_path = argv[i];
  }
  if (given < 1 || given > 2) {
    fprintf(stderr, "usage: %s [--break] MODEL [OCEAN]\n", argv[0]);
    return 1;
  }
  if (read_ocean(ocean_path)) return 2;
  options.max_columns = longitudes;
  options.seed = 1;
  if (!failed(lav_initialize(&start), "lav_initialize") && !failed(lav_model_load(model_path, &model), "lav_model_load") &&
      !failed(lav_workspace_create(model, &options, &workspace), "lav_workspace_create")) {
    printf("model %.16s..., strategy %s, on %s (%s)\n", lav_model_digest(model), lav_model_strategy(model),
           lav_workspace_backend(workspace), lav_workspace_instruction_set(workspace));
    code = step_year(workspace, lav_model_law_count(model), broken);
  }
  lav_workspace_destroy(workspace);
  lav_model_destroy(model);
  if (failed(lav_finalize(), "lav_finalize")) code = 2;
  return code;
}
