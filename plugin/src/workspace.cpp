#include "column_selection.hpp"
#include "device_engine_factory.hpp"
#include "field_binding.hpp"
#include "floating_point_environment.hpp"
#include "global_laws_state.hpp"
#include "host_dispatch.hpp"
#include "input_flags.hpp"
#include "model.hpp"
#include "tile_runner.hpp"

#include <lavoisier/emulator.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lavoisier {

using detail::RunWork;
using detail::SlotStatus;

namespace {

const detail::ProgramModel& program_model(const std::shared_ptr<const Model>& model) {
  if (model == nullptr) throw Error(Status::invalid_argument, "a workspace without a model");
  const auto* found = dynamic_cast<const detail::ProgramModel*>(model.get());
  if (found == nullptr)
    throw Error(Status::invalid_argument, "a workspace needs a model made by Model::load or Model::parse");
  return *found;
}

Backend resolve(Backend asked) {
  const std::string device = detail::device_backend();
  switch (asked) {
    case Backend::automatic:
      return !device.empty() ? Backend::device : detail::have_threads() ? Backend::openmp : Backend::serial;
    case Backend::serial: return asked;
    case Backend::openmp:
      if (detail::have_threads()) return asked;
      throw Error(Status::unsupported, "the backend openmp: this library's Kokkos was built without OpenMP");
    case Backend::device:
      if (!device.empty()) return asked;
      throw Error(Status::unsupported, "the backend device: this library's Kokkos was built without CUDA and HIP");
  }
  throw Error(Status::invalid_argument, "unknown backend " + std::to_string(static_cast<int>(asked)));
}

// Enough for any host's block; keeps slot arithmetic far from overflow.
constexpr std::int64_t most_columns = std::int64_t{1} << 40;

}  // namespace

std::vector<std::string> available_backends() {
  std::vector<std::string> names{"serial"};
  if (detail::have_threads()) names.emplace_back("openmp");
  if (const std::string device = detail::device_backend(); !device.empty()) names.push_back(device);
  return names;
}

struct Workspace::Implementation {
  Implementation(std::shared_ptr<const Model> owner, const WorkspaceOptions& asked)
      : model(std::move(owner)),
        own(program_model(model)),
        program(own.program()),
        options(asked),
        layout(program, std::clamp(asked.global_rows, 0, 64)),
        kernels(detail::tile_kernels()) {
    if (!is_initialized())
      throw Error(Status::not_initialized,
                  "lavoisier::initialize() (lav_initialize) was not called before a workspace was made");
    if (options.max_columns < 1 || options.max_columns > most_columns)
      throw Error(Status::invalid_argument, "max_columns: expected 1 or more, found " + std::to_string(options.max_columns));
    if (options.global_rows < 0 || options.global_rows > 64)
      throw Error(Status::invalid_argument,
                  "global_rows: expected 0 to 64, found " + std::to_string(options.global_rows));
    backend = resolve(options.backend);
    if (options.global_rows > 0) detail::require_global_laws(program);
    if (options.device_stream != nullptr && backend != Backend::device)
      throw Error(Status::invalid_argument, "device_stream: the workspace computes on the host");
    stream = options.override_stream ? options.stream : own.default_stream();
    const auto capacity = static_cast<std::size_t>(options.max_columns);
    const auto laws = static_cast<std::size_t>(program.laws.count());
    columns = detail::AlignedBuffer<std::int64_t>(capacity);
    sorted = detail::AlignedBuffer<std::int64_t>(capacity);
    status = detail::AlignedBuffer<SlotStatus>(capacity);
    residual = detail::AlignedBuffer<double>(laws * capacity);
    relative = detail::AlignedBuffer<double>(laws * capacity);
    const auto rows = static_cast<std::size_t>(options.global_rows);
    quantities = detail::AlignedBuffer<double>((3 * rows + rows * (rows + 1) / 2) * capacity);
    inputs.resize(program.inputs.size());
    outputs.resize(program.outputs.size());
    report.laws.resize(laws);
    if (backend == Backend::device) {
      engine = detail::make_device_engine(program, options.max_columns, options.global_rows, options.device_stream);
    } else {
      workers = backend == Backend::openmp ? detail::thread_workers() : 1;
      const std::int64_t tiles = (options.max_columns + detail::tile_columns - 1) / detail::tile_columns;
      workers = static_cast<int>(std::min<std::int64_t>(workers, tiles));
      arena_bytes = (layout.bytes + detail::cache_line - 1) / detail::cache_line * detail::cache_line;
      arena = detail::AlignedBuffer<std::byte>(arena_bytes * static_cast<std::size_t>(workers));
    }
  }

  /// Sees that the run's global laws can take it; their state.
  GlobalLaws::Implementation& global_laws(GlobalLaws::Implementation& laws, bool correct) {
    if (laws.model.get() != model.get())
      throw Error(Status::invalid_argument, "global laws of another model than the workspace's");
    if (laws.options.rows > options.global_rows)
      throw Error(Status::invalid_argument, "the workspace was made for " + std::to_string(options.global_rows) +
                                                " global laws (WorkspaceOptions::global_rows), found " +
                                                std::to_string(laws.options.rows));
    using Phase = GlobalLaws::Implementation::Phase;
    if (laws.phase != (correct ? Phase::closed : Phase::open))
      throw Error(Status::invalid_argument, correct ? "correct: expected global laws that are closed"
                                                    : "run: expected global laws that are begun and not yet closed");
    return laws;
  }

  const RunReport& run(const RunArguments& a, bool draw, GlobalLaws::Implementation* laws, bool correct) {
    if (!is_initialized())
      throw Error(Status::not_initialized, "a run after lavoisier::finalize() (lav_finalize): Kokkos has ended");
    if (!draw && !program.has_mean)
      throw Error(Status::unsupported, "the conditional mean (run_mean): noise goes through a network or a sampling loop "
                                       "in this model; run draws");
    const detail::DefaultFloatingPoint environment;
    const std::int64_t count = detail::select_columns(a, options.max_columns, columns.data(), sorted.data());
    if (a.member > 0xffffffffu)
      throw Error(Status::invalid_argument, "member: expected less than 2^32, found " + std::to_string(a.member));
    std::size_t member = 0;
    if (correct && laws == nullptr) throw Error(Status::invalid_argument, "correct: the arguments have no global laws");
    if (laws != nullptr) {
      member = global_laws(*laws, correct).member_of(a.member);
      if (count > 0 && a.global_rows.coefficients == nullptr)
        throw Error(Status::invalid_argument, "the coefficients of the global laws (global_rows) are null");
    }
    detail::GlobalWork global;
    if (count > 0) {
      detail::bind_fields(program, a, backend == Backend::device, inputs, outputs);
      RunWork work;
      work.inputs = inputs.data();
      work.input_count = inputs.size();
      work.outputs = outputs.data();
      work.output_count = outputs.size();
      work.columns = columns.data();
      work.count = count;
      work.block_columns = a.block_columns;
      work.column_ids = a.column_ids;
      work.first_column_id = a.first_column_id;
      work.step_ids = a.step_ids;
      work.step = a.step;
      work.member = a.member;
      work.seed = options.seed;
      work.stream = stream;
      work.draw = draw;
      work.status = status.data();
      work.residual = residual.data();
      work.relative = relative.data();
      work.capacity = options.max_columns;
      if (laws != nullptr) {
        global.rows = laws->options.rows;
        global.coefficients = a.global_rows.coefficients;
        global.column_stride = a.global_rows.column_stride;
        global.row_stride = a.global_rows.row_stride;
        global.element_stride = a.global_rows.element_stride;
        global.weights = a.global_rows.weights;
        global.multipliers = correct ? laws->multipliers(member) : nullptr;
        global.quantities = quantities.data();
        work.global = &global;
      }
      compute(work);
    }
    summarize(a, count);
    if (laws != nullptr)
      laws->add(correct ? laws->corrected : laws->drawn, member, correct ? laws->corrected_sums() : laws->drawn_sums(),
                quantities.data(), options.max_columns, status.data(), count, !correct);
    return report;
  }

  void compute(const RunWork& work) {
    if (engine != nullptr) return engine->run(work);
    // Small runs are cut so that every worker has a tile: bits don't depend on how.
    std::int64_t size = detail::tile_columns;
    if (work.count <= size * workers) size = std::min(size, ((work.count + workers - 1) / workers + 15) / 16 * 16);
    struct Context {
      const Implementation* self;
      const RunWork* work;
      std::int64_t size;
    } context{this, &work, size};
    detail::Pieces pieces;
    pieces.context = &context;
    pieces.count = (work.count + size - 1) / size;
    pieces.function = [](void* given, std::int64_t piece, int worker) noexcept {
      const auto& c = *static_cast<const Context*>(given);
      const std::int64_t first = piece * c.size;
      detail::run_tile(c.self->program, c.self->layout, c.self->kernels, *c.work, first,
                       std::min(c.size, c.work->count - first),
                       c.self->arena_of(worker));
    };
    if (backend == Backend::openmp)
      detail::run_threaded(pieces, workers);
    else
      detail::run_serially(pieces);
  }

  std::byte* arena_of(int worker) const noexcept {
    return const_cast<std::byte*>(arena.data()) + arena_bytes * static_cast<std::size_t>(worker);
  }

  void summarize(const RunArguments& a, std::int64_t count) {
    report.columns = report.non_finite = report.out_of_range = report.rank_deficient = report.invalid_argument = 0;
    for (std::int64_t s = 0; s < count; ++s) {
      const auto found = static_cast<Status>(status[static_cast<std::size_t>(s)]);
      if (found == Status::non_finite)
        ++report.non_finite;
      else if (found == Status::rank_deficient || found == Status::inconsistent_laws)
        ++report.rank_deficient;
      else if (found == Status::ok || found == Status::out_of_range)
        ++report.columns;
      else
        ++report.invalid_argument;
      if (found == Status::out_of_range) ++report.out_of_range;
      if (a.status != nullptr) a.status[columns[static_cast<std::size_t>(s)]] = found;
    }
    for (std::size_t l = 0; l < report.laws.size(); ++l) {
      LawClosure closure;
      double squares = 0.0;
      const double* r = residual.data() + l * static_cast<std::size_t>(options.max_columns);
      const double* q = relative.data() + l * static_cast<std::size_t>(options.max_columns);
      for (std::int64_t s = 0; s < count; ++s) {
        const auto found = static_cast<Status>(status[static_cast<std::size_t>(s)]);
        if (found != Status::ok && found != Status::out_of_range) continue;
        closure.max_absolute = std::max(closure.max_absolute, std::abs(r[s]));
        squares += r[s] * r[s];
        if (closure.worst_column < 0 || q[s] > closure.max_relative) {
          closure.max_relative = q[s];
          closure.worst_column = columns[static_cast<std::size_t>(s)];
        }
      }
      if (report.columns > 0) closure.rms = std::sqrt(squares / static_cast<double>(report.columns));
      report.laws[l] = closure;
    }
  }

  std::shared_ptr<const Model> model;
  const detail::ProgramModel& own;
  const detail::Program& program;
  WorkspaceOptions options;
  detail::TileLayout layout;
  const detail::TileKernels& kernels;
  Backend backend = Backend::serial;
  std::uint64_t stream = 0;
  int workers = 1;
  std::size_t arena_bytes = 0;
  detail::AlignedBuffer<std::byte> arena;
  std::unique_ptr<detail::Engine> engine;
  detail::AlignedBuffer<std::int64_t> columns, sorted;
  detail::AlignedBuffer<SlotStatus> status;
  detail::AlignedBuffer<double> residual, relative, quantities;
  std::vector<detail::BoundField> inputs, outputs;
  RunReport report;
};

Workspace::Workspace(std::shared_ptr<const Model> model, const WorkspaceOptions& options)
    : implementation_(std::make_unique<Implementation>(std::move(model), options)) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

const RunReport& Workspace::run(const RunArguments& arguments) {
  GlobalLaws* laws = arguments.global;
  return implementation_->run(arguments, true, laws ? laws->implementation_.get() : nullptr, false);
}
const RunReport& Workspace::run_mean(const RunArguments& arguments) {
  GlobalLaws* laws = arguments.global;
  return implementation_->run(arguments, false, laws ? laws->implementation_.get() : nullptr, false);
}
const RunReport& Workspace::correct(const RunArguments& arguments, bool mean) {
  GlobalLaws* laws = arguments.global;
  return implementation_->run(arguments, !mean, laws ? laws->implementation_.get() : nullptr, true);
}
std::vector<InputFlag> Workspace::input_flags(const RunArguments& arguments, std::int64_t column) const {
  return detail::input_flags(*implementation_->model, implementation_->program, arguments, column);
}

const Model& Workspace::model() const noexcept { return *implementation_->model; }

std::string Workspace::backend() const {
  switch (implementation_->backend) {
    case Backend::serial: return "serial";
    case Backend::openmp: return "openmp";
    default: return detail::device_backend();
  }
}

std::string Workspace::instruction_set() const {
  return implementation_->engine ? implementation_->engine->instruction_set() : implementation_->kernels.name;
}

}  // namespace lavoisier
