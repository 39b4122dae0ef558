#include "program_compiler.hpp"

#include <charconv>
#include <cmath>

namespace lavoisier::detail {

void Compiler::sample(const GraphOperation& node, Operation& made) {
  operands(node, node.inputs.size(), 1, {"schedule", "output_mean", "output_scale"},
           {"subgraph", "method", "site", "projection"});
  if (in_subgraph_) fail(Status::unsupported, "in a subgraph");
  SampleLoop loop;
  const std::string& method = node.attributes.at("method");
  if (method != "ddpm" && method != "ddim" && method != "flow")
    fail(Status::unsupported, "the method '" + method + "' (ddpm, ddim, flow)");
  loop.method = method == "flow" ? SampleMethod::flow : SampleMethod::diffusion;
  const std::string& projection = node.attributes.at("projection");
  if (projection != "none" && projection != "ambient" && projection != "null_space")
    fail(Status::unsupported, "the projection '" + projection + "' (null_space, ambient, none)");
  loop.projection = projection == "none"      ? SampleProjection::none
                    : projection == "ambient" ? SampleProjection::ambient
                                              : SampleProjection::null_space;

  const Tensor& schedule = tensor(node.tensors.at("schedule"));
  if (schedule.shape.size() != 2 || schedule.shape[0] < 1 || schedule.shape[1] != SampleLoop::columns)
    fail(Status::invalid_format,
         "tensor '" + schedule.name + "': expected shape [steps, 7], found " + list(schedule.shape));
  loop.steps = schedule.shape[0];
  const auto numbers = schedule.f64();
  for (const double x : numbers)
    if (!std::isfinite(x)) fail(Status::non_finite, "tensor '" + schedule.name + "' holds a number that is not finite");
  loop.schedule.assign(numbers.begin(), numbers.end());

  const Tensor& mean = tensor(node.tensors.at("output_mean"));
  made.n = mean.shape.size() == 1 ? mean.shape[0] : 0;
  if (made.n < 1)
    fail(Status::invalid_format, "tensor '" + mean.name + "': expected shape [n], found " + list(mean.shape));
  made.first = doubles(mean.name, made.n);
  made.second = doubles(node.tensors.at("output_scale"), made.n);
  for (const double scale : made.second)
    if (scale < 0.0) fail(Status::invalid_format, "a negative output_scale");
  if (loop.projection != SampleProjection::none && made.n != program_.output_elements)
    fail(Status::invalid_format, "tensor '" + mean.name + "' has " + std::to_string(made.n) +
                                     " elements; a projection onto the laws needs the layout's outputs, " +
                                     std::to_string(program_.output_elements));

  // The first state draws at `site`, step k at site + 1 + k.
  made.site = static_cast<std::uint64_t>(integer(node, "site", 0, INT64_C(0xffffffff) - loop.steps));
  for (std::int64_t k = 0; k <= loop.steps; ++k) take_site(made.site + static_cast<std::uint64_t>(k));

  subgraph(node, node.attributes.at("subgraph"), made.n, loop);
  for (const auto& name : node.inputs) made.inputs.push_back(index_.at(name));
  made.output[0] = make(node.outputs[0], true, made.n);
  made.loop = static_cast<int>(program_.loops.size());
  program_.loops.push_back(std::move(loop));
}

void Compiler::subgraph(const GraphOperation& node, const std::string& name, std::int64_t n, SampleLoop& loop) {
  const auto found = description_.subgraphs.find(name);
  if (found == description_.subgraphs.end())
    fail(Status::invalid_format, "the subgraph '" + name + "' is not in the file");
  // Inside only what the node lists and binds has a name.
  std::map<std::string, int> outer;
  outer.swap(index_);
  for (const auto& captured : node.inputs) {
    const auto at = outer.find(captured);
    if (at == outer.end())
      fail(Status::invalid_format, "the value '" + captured + "' is not made by an earlier operation");
    if (length(at->second) < 0)
      fail(Status::invalid_format,
           "the length of the noise '" + captured + "' is not known here: normal_noise needs the attribute 'length'");
    index_.insert(*at);
  }
  loop.state = make("state", false, n);
  loop.time = make("time", true, 1);
  const std::string where = where_;
  in_subgraph_ = true;
  operations_ = &loop.operations;
  for (std::size_t i = 0; i < found->second.size(); ++i) {
    const GraphOperation& inner = found->second[i];
    where_ = where + "subgraph '" + name + "', operation " + std::to_string(i) + " (" + inner.op + "): ";
    operation(inner);
  }
  operations_ = &program_.operations;
  in_subgraph_ = false;
  where_ = where + "subgraph '" + name + "': ";
  loop.prediction = value("prediction", false, n);
  where_ = where;
  index_.swap(outer);
}

void Compiler::standardise_laws(const Operation& operation, SampleLoop& loop) const {
  const LawSystem& laws = program_.laws;
  if (loop.projection == SampleProjection::none || laws.varies) return;  // each column's own: Tile::standardise_laws
  StandardisedLaws& made = loop.laws = {};
  const std::vector<double>&mean = operation.first, &scale = operation.second;
  const auto m = static_cast<std::size_t>(laws.rows());
  const auto at = [](std::int32_t i) { return static_cast<std::size_t>(i); };
  for (std::size_t k = 0; k < m; ++k) {
    double sum = 0.0;
    for (std::size_t t = at(laws.row_begin[k]); t < at(laws.row_begin[k + 1]); ++t) {
      made.row_coefficient.push_back(laws.row_coefficient[t] * scale[at(laws.row_element[t])]);
      sum += laws.row_coefficient[t] * mean[at(laws.row_element[t])];
    }
    made.mean.push_back(sum);
  }
  for (std::size_t i = 0; i + 1 < laws.column_begin.size(); ++i)
    for (std::size_t t = at(laws.column_begin[i]); t < at(laws.column_begin[i + 1]); ++t)
      made.column_coefficient.push_back(laws.column_coefficient[t] * scale[i]);
  // Cholesky's factor, row by row; a pivot that is nothing but rounding is left out, as in the constrain step.
  const double smallest = 16.0 * 0x1.0p-52 * static_cast<double>(m);
  made.factor.assign(m * (m + 1) / 2, 0.0);
  made.skipped.assign(m, 0);
  for (std::size_t k = 0; k < m; ++k) {
    double* row = made.factor.data() + k * (k + 1) / 2;
    for (std::size_t l = 0; l <= k; ++l) {
      const std::size_t p = k * (k + 1) / 2 + l;
      for (std::size_t t = at(laws.pair_begin[p]); t < at(laws.pair_begin[p + 1]); ++t) {
        const double s = scale[at(laws.pair_element[t])];
        row[l] += laws.pair_product[t] * (s * s);
      }
    }
    const double whole = row[k];
    for (std::size_t l = 0; l < k; ++l) {
      const double* other = made.factor.data() + l * (l + 1) / 2;
      for (std::size_t j = 0; j < l; ++j) row[l] -= row[j] * other[j];
      row[l] = made.skipped[l] ? 0.0 : row[l] / other[l];
      row[k] -= row[l] * row[l];
    }
    made.skipped[k] = !(row[k] > smallest * whole);
    row[k] = made.skipped[k] ? 1.0 : std::sqrt(row[k]);
  }
}

}  // namespace lavoisier::detail
