#include "backbones.hpp"

#include "plan_builder.hpp"

#include <lavoisier/status.hpp>

#include <cmath>
#include <optional>

namespace lavoisier::detail {
namespace {

std::vector<Port> ports_of(const BackboneShape& shape) {
  std::vector<Port> ports = shape.fields;
  ports.insert(ports.end(), shape.vectors.begin(), shape.vectors.end());
  if (!shape.time.empty()) ports.push_back({shape.time, 1});
  if (ports.empty()) throw Error(Status::internal, "a network reads nothing");
  return ports;
}

[[noreturn]] void refuse(const std::string& message) { throw Error(Status::invalid_argument, "network.fields: " + message); }

/// The residual blocks of one network, with what they all add to their channels.
struct Blocks {
  PlanBuilder& builder;
  const FieldOptions& options;
  std::string embedding;  // empty: none

  FieldValue block(const FieldValue& from, std::int64_t channels) {
    FieldValue h = builder.convolution(builder.silu(builder.group_norm(from, options.groups)), channels, options.radius);
    if (!embedding.empty()) h = builder.add_channel(h, builder.dense(embedding, channels));
    h = builder.convolution(builder.silu(builder.group_norm(h, options.groups)), channels, options.radius);
    return builder.add(from.channels == channels ? from : builder.convolution(from, channels, 0), h);
  }
};

}  // namespace

std::vector<double> time_frequencies(std::int64_t count) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < count; ++i)
    frequencies.push_back(0.25 * std::exp2(count > 1 ? 8.0 * static_cast<double>(i) / static_cast<double>(count - 1) : 0.0));
  return frequencies;
}

NetworkPlan plan_mlp(const MlpOptions& options, const FieldOptions& fields, const BackboneShape& shape) {
  PlanBuilder builder(shape.prefix, ports_of(shape));
  std::vector<std::string> joined;
  for (const Port& port : shape.fields) joined.push_back(port.name);
  for (const Port& port : shape.vectors) joined.push_back(port.name);
  if (!shape.time.empty()) joined.push_back(builder.time_embedding(shape.time, time_frequencies(fields.frequencies)));
  builder.mlp(options, builder.concat(joined), shape.outputs);
  return std::move(builder).finish(shape.output);
}

NetworkPlan plan_unet(const FieldOptions& fields, const BackboneShape& shape) {
  if (fields.widths.empty()) refuse("expected the channels of at least one resolution");
  const std::int64_t halvings = static_cast<std::int64_t>(fields.widths.size()) - 1, unit = std::int64_t{1} << halvings;
  for (const std::int64_t extent : {fields.height, fields.width})
    if (extent < 1 || (extent > 1 && extent % unit != 0))
      refuse("height and width must be 1 or a multiple of " + std::to_string(unit) + " to be halved " +
             std::to_string(halvings) + " times; found " + std::to_string(fields.height) + " x " + std::to_string(fields.width));
  const std::int64_t places = fields.height * fields.width;
  PlanBuilder builder(shape.prefix, ports_of(shape));
  Blocks blocks{builder, fields, {}};

  std::vector<std::string> known;
  for (const Port& port : shape.vectors) known.push_back(port.name);
  if (!shape.time.empty()) known.push_back(builder.time_embedding(shape.time, time_frequencies(fields.frequencies)));
  if (!known.empty()) {
    const std::int64_t width = 4 * fields.widths[0];
    known = {builder.concat(known)};
    blocks.embedding = builder.silu(builder.dense(builder.silu(builder.dense(known[0], width)), width));
  }
  FieldValue h{"", fields.widths[0], fields.height, fields.width};
  if (shape.fields.empty()) {
    if (known.empty()) refuse("a network that reads neither fields nor vectors");
    h.name = builder.dense(blocks.embedding, h.channels * places);
  } else {
    std::vector<std::string> names;
    std::int64_t channels = 0;
    for (const Port& port : shape.fields) {
      if (port.width % places != 0)
        refuse("'" + port.name + "' has " + std::to_string(port.width) + " numbers, no multiple of " +
               std::to_string(fields.height) + " x " + std::to_string(fields.width));
      names.push_back(port.name);
      channels += port.width / places;
    }
    h = builder.convolution({builder.concat(names), channels, fields.height, fields.width}, fields.widths[0], fields.radius);
  }

  std::vector<FieldValue> finer;
  for (std::size_t at = 0; at < fields.widths.size(); ++at) {
    if (at > 0) {
      finer.push_back(h);
      h = builder.convolution(h, fields.widths[at], 1, 2);
    }
    for (std::int64_t i = 0; i < fields.blocks; ++i) h = blocks.block(h, fields.widths[at]);
  }
  if (!shape.makes_field) {
    builder.dense(builder.silu(builder.group_norm(h, fields.groups)).name, shape.outputs);
    return std::move(builder).finish(shape.output);
  }
  for (std::size_t at = fields.widths.size() - 1; at-- > 0;) {
    h = builder.concat(builder.convolution(builder.upsampled(h), fields.widths[at], fields.radius), finer[at]);
    for (std::int64_t i = 0; i < fields.blocks; ++i) h = blocks.block(h, fields.widths[at]);
  }
  if (shape.outputs % places != 0)
    refuse("the network must make " + std::to_string(shape.outputs) + " numbers, no multiple of " +
           std::to_string(fields.height) + " x " + std::to_string(fields.width));
  builder.convolution(builder.silu(builder.group_norm(h, fields.groups)), shape.outputs / places, fields.radius);
  return std::move(builder).finish(shape.output);
}

NetworkPlan plan_column_network(const FieldOptions& fields, const BackboneShape& shape) {
  FieldOptions levels = fields;
  levels.height = 1;
  levels.widths.resize(1, 32);
  return plan_unet(levels, shape);
}

NetworkPlan plan_backbone(const MlpOptions& options, const FieldOptions& fields, const BackboneShape& shape) {
  if (fields.backbone == "unet") return plan_unet(fields, shape);
  if (fields.backbone == "column") return plan_column_network(fields, shape);
  return plan_mlp(options, fields, shape);
}

}  // namespace lavoisier::detail
