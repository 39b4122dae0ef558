#ifndef LAVOISIER_MODELS_GENERATOR_HPP
#define LAVOISIER_MODELS_GENERATOR_HPP

#include "head_loss.hpp"
#include "network_plan.hpp"
#include "output_head.hpp"
#include "training_data.hpp"

#include <Eigen/Dense>

#include <memory>
#include <span>

namespace lavoisier::detail {

/// Rows of a step in standardised units; y, A: active outputs.
struct GeneratorRows {
  std::vector<float> x;  ///< rows x inputs
  RowMatrix y, d, A;     ///< A is empty where all samples share it
  DrawAddress at;        ///< step and sample ids: what this step's random numbers depend on
  std::int64_t epoch = 0;
  bool judging = false;  ///< random numbers of validation: the same whenever it is judged
  Eigen::Index count() const { return y.rows(); }
};

/// What the training loop trains: a loss as a function of one flat vector of weights.
class Generator {
 public:
  virtual ~Generator() = default;
  /// Its parameters and their number; the operations are the generator's own affair.
  virtual const NetworkPlan& parameters() const = 0;
  virtual std::span<float> weights() = 0;
  virtual std::span<float> gradient() = 0;
  virtual void initialise(std::uint64_t seed) = 0;
  /// The mean loss of the rows, its gradient in gradient(), and each row's loss in `each`.
  virtual double differentiate(const GeneratorRows& rows, Eigen::VectorXd& each) = 0;
  /// The validation score of each row at other weights.
  virtual Eigen::VectorXd evaluate(const GeneratorRows& rows, std::span<const float> weights) = 0;
  virtual const char* engine() const = 0;
  /// Adds the graph, its subgraphs and the weights to a model whose head, laws and scalers are there.
  virtual void append_to(ModelFile& model, std::span<const float> weights) const = 0;
};

/// What a generator is made of and for.
struct GeneratorContext {
  const TrainingOptions& options;
  const TrainingData& data;
  std::int64_t inputs = 0, outputs = 0;           ///< elements of the layout
  std::vector<Eigen::Index> dependent;            ///< of completion, among the active outputs
  OutputHead head = {};                           ///< of mlp
  bool has_laws() const { return data.laws > 0; }
};

std::unique_ptr<Generator> make_mlp(const GeneratorContext& context);
std::unique_ptr<Generator> make_vae(const GeneratorContext& context);        ///< vae and ladder_vae
std::unique_ptr<Generator> make_diffusion(const GeneratorContext& context);  ///< ddpm and flow_matching
struct GraphData;
std::unique_ptr<Generator> make_graph_generator(const GeneratorContext& context,
                                                const GraphData& graphs);  ///< mpnn, graph_vae
/// The one that the options name.
std::unique_ptr<Generator> make_generator(const GeneratorContext& context);

}  // namespace lavoisier::detail

#endif
