#ifndef LAVOISIER_TRAINING_HPP
#define LAVOISIER_TRAINING_HPP

// No Torch here: callers need not have it on their include path.

#include <lavoisier/estimators.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/sample_source.hpp>
#include <lavoisier/strategy.hpp>
#include <lavoisier/training_communicator.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lavoisier {

struct MlpOptions {
  std::vector<std::int64_t> hidden = {128, 128};
  std::string activation = "silu";             ///< "silu", or "relu" where all layers are dense (backbone "mlp")
  bool residual = false;                       ///< adds a layer's input to its output where widths agree (not the first)
  bool layer_norm = false;                     ///< before each activation
  bool linear_skip = false;                    ///< adds the linear map of the inputs that fits the training outputs best,
                                               ///< by least squares; training leaves it as it is (mlp, Gaussian head)
  double dropout = 0.0;                        ///< behind each activation, while training only; in units of 2^-16
  std::string parametrization = "exp";         ///< of the standard deviation: "softplus" or "exp"
  std::string deviation = "per_sample";        ///< "per_sample", or "shared": of each output one that all samples share,
                                               ///< trained too (mlp and its backbones, spectral_temporal, vae, ladder_vae)
  double floor = 1e-3;                         ///< least standard deviation, standardised units
  std::string initialization = "he";           ///< of weights: "lecun", "he", "torch" (docs/method.md, "Training")
  double initial_deviation = 0.5;              ///< standard deviation that training starts from, standardised units
};

/// Networks of fields (docs/generators.md).
struct FieldOptions {
  std::string backbone = "mlp";                ///< "mlp" (MlpOptions say its layers), "unet" or "column"
  std::int64_t height = 0, width = 0;          ///< of the outputs' fields; "column": width is the number of levels. The
                                               ///< outputs are channels x height x width
  std::vector<std::int64_t> widths = {16, 32}; ///< channels at each resolution, each half the one before; "column": the first
  std::int64_t blocks = 1;                     ///< residual blocks at each resolution
  std::int64_t radius = 1;                     ///< of the kernels: 2 radius + 1 wide
  std::int64_t groups = 4;                     ///< of the norms, at most
  std::int64_t frequencies = 16;               ///< of the embedded time
};

/// Networks of graphs: `mpnn` and `graph_vae`. MlpOptions::hidden are the layers of messages and of the readout.
struct GraphOptions {
  std::int64_t state = 32;              ///< numbers that each node carries from round to round
  std::int64_t rounds = 3;              ///< of messages
  bool directed = false;                ///< messages run from the first index to the second only; else both ways
  std::vector<std::string> categories;  ///< node inputs that are categories 0, 1, ... (an element), embedded
};

/// What is trained (docs/generators.md), and what only some generators have.
struct GeneratorOptions {
  std::string name = "mlp";                    ///< "mlp", "spectral_temporal", "vae", "ladder_vae", "ddpm", "flow_matching";
                                               ///< of graphs "mpnn", "graph_vae" (graph_training.hpp)
  FieldOptions fields;                         ///< networks of fields; spectral_temporal: blocks, and widths[0] features
  GraphOptions graph;                          ///< of mpnn and graph_vae
  std::int64_t series = 0, window = 0;         ///< spectral_temporal: the first inputs are a window, lags x series
  std::vector<std::int64_t> latents = {8};     ///< vae: one width; ladder_vae: two or more, from the outputs up;
                                               ///< graph_vae: one width, of each node
  double kl_weight = 1.0;                      ///< of the three vae in training; validation has 1
  std::int64_t kl_warm_up = 0;                 ///< epochs over which the weight grows from 0
  std::string prediction = "velocity";         ///< of ddpm: "velocity" (v), "noise" or "data"
  std::string projection = "null_space";       ///< of ddpm and flow_matching under `conditional`: or "ambient" (ddpm)
  std::string sampler = "ddpm";                ///< of ddpm: "ddpm" (ancestral) or "ddim"
  std::int64_t steps = 50;                     ///< of sampling
};

/// What the outputs of an `mlp` are drawn from (docs/generators.md, "Heads").
struct HeadOptions {
  std::string family = "gaussian";    ///< "gaussian"; "mixed": positive and Gaussian outputs; "gamma": positive ones, shares
                                      ///< of the laws' sums under `conditional`; "poisson": counts, likewise
  std::vector<std::string> positive;  ///< of "mixed": "NAME=LAW"; NAME "rain" (all its elements) or "rain[2]"; LAW
                                      ///< log_normal, gamma, hurdle_log_normal or hurdle_gamma
};

/// What is known once the data and the network are prepared and a checkpoint has been accepted, before the first step.
struct TrainingStart {
  std::int64_t weights = 0;      ///< numbers that are trained
  int threads = 0;               ///< of LibTorch
  std::int64_t epochs_done = 0;  ///< of the checkpoint; 0: from the beginning
};

struct TrainingOptions {
  Strategy strategy = Strategy::conditional;
  Loss loss = Loss::crps;
  Estimator estimator = Estimator::exact;      ///< of the gradient of crps and energy under conditional and
                                               ///< variance_projection; the rest has `exact` alone. Scores of the
                                               ///< validation samples are exact whatever it is
  int draws = 8;                               ///< a sample and step, of a sampled estimator; 2 or more. Of crps under
                                               ///< head "mixed", whose score is sampled too, 3 or more
  double penalty_weight = 1.0;                 ///< `penalty`: of |A mean - d|^2, unit rows, standardised units, a sample
  std::vector<std::string> dependent;          ///< `completion`: "name" (all its elements) or "name[2]"; empty: chosen
  MlpOptions network;
  GeneratorOptions generator;
  HeadOptions head;
  std::vector<std::string> unseen;             ///< inputs that laws alone read: the network is given 0 for them (no graphs)
  std::string scaling = "standard";            ///< of inputs and outputs: "standard" (mean and deviation of the training
                                               ///< samples) or "max_abs" (no shift, largest |value| over all samples)
  std::int64_t epochs = 60;
  std::int64_t batch = 256;
  std::int64_t micro_batches = 0;              ///< nearly equal parts of a batch, whose gradients are summed in one fixed
                                               ///< order; 0: 1, with a communicator 8. They decide about the last bits
  double learning_rate = 2e-3;
  double weight_decay = 0.0;                   ///< decoupled (AdamW)
  double input_noise = 0.0;                    ///< normal noise on the standardised inputs while training, its deviation
  std::string schedule = "cosine";             ///< "cosine" (to 0 over all steps), "constant" or "plateau" (halved
                                               ///< whenever `patience` epochs bring no better validation score)
  std::int64_t patience = 10;                  ///< epochs, of "plateau"
  std::int64_t warm_up = 0;                    ///< steps over which the rate grows linearly from 0
  double gradient_clip = 0.0;                  ///< largest norm of a step's gradient; longer ones are shortened. 0: none
  std::int64_t stop_after = 0;                 ///< epochs without a better validation score that end training; 0: never
  double ema = 0.0;                            ///< decay of the averaged weights; 0: none
  std::uint64_t seed = 0;
  std::string selection = "best";              ///< which epoch's weights: "best" validation score or "last"
  std::string device = "cpu";
  int threads = 0;                             ///< 0: all
  std::int64_t buffer_bytes = 0;               ///< 0: all rows are in memory. Else standardised rows lie in scratch
                                               ///< files and a thread reads those of the coming steps into so many
                                               ///< bytes, which must hold a batch (a micro-batch, where there are
                                               ///< several); weights have the same bits
  std::filesystem::path scratch;               ///< folder of these files; empty: the current one
  std::filesystem::path checkpoint;            ///< folder; empty: no checkpoints
  bool resume = false;
  std::map<std::string, std::string> provenance;  ///< copied into the model file
  std::function<void(const TrainingStart&)> started;  ///< called once, before the first step; may be empty
};

/// Refuses options that make no sense whatever the data: Error(invalid_argument) names the option, what was found and what is
/// legal. train() asks it first.
void require_valid(const TrainingOptions& options);

/// What a listener hears once an epoch, before the epoch's checkpoint: what it writes is never behind the checkpoint.
struct TrainingProgress {
  std::int64_t epoch = 0, epochs = 0;
  double training_loss = 0.0;
  double validation_loss = 0.0;
  double best_validation_loss = 0.0;
  std::int64_t best_epoch = 0;
  double learning_rate = 0.0;  ///< of the epoch's last step; 0 for epochs read from a checkpoint
  double seconds = 0.0, seconds_left = 0.0;
};
using TrainingListener = std::function<void(const TrainingProgress&)>;

struct TrainingResult {
  ModelFile model;
  std::vector<TrainingProgress> history;
  double target_distance = 0.0;  ///< how far targets were moved onto the laws, largest, physical units
  double seconds = 0.0;
};

/// Trains on the training subset, selects on the validation subset, exports. Targets are first moved orthogonally onto
/// the laws; a distance beyond a law's physics tolerance is Error(law_violated) naming law and sample. A loss that the
/// strategy does not admit (docs/strategies.md) is invalid_argument and names the legal ones; laws that lose rank for a
/// sample are rank_deficient and name law and sample.
/// `stop` (may be null): when it turns true, the checkpoint is kept and Error(interrupted) says how to resume.
/// Same options, data and thread count: the same bits. Errors: non_finite (step and sample ids), invalid_argument.
///
/// `communicator` (may be null): the processes that share this training, each calling train() with the same samples
/// and options (else invalid_argument, with both digests). Each computes its share of the micro-batches and of the
/// validation samples; result and checkpoints have the same bits for every number of processes up to micro_batches, so
/// that one number may go on where another stopped. Rank 0 alone writes checkpoints and is listened to. An error on one
/// process, or `stop` on one, ends all with the same status and message (AgreedError).
TrainingResult train(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                     const TrainingListener& listener = {}, const std::atomic<bool>* stop = nullptr,
                     TrainingCommunicator* communicator = nullptr);
/// The same from samples that need not lie in memory (a SampleFile). With options.buffer_bytes memory holds about so
/// many bytes of rows, one batch, and 16 bytes a sample (the order of an epoch, the scores); without it all
/// standardised rows. Errors besides: no_space and io_error of the scratch files, named by folder;
/// invalid_argument where the buffer is too small for a batch, with the bytes that are needed.
TrainingResult train(const SampleSource& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                     const TrainingListener& listener = {}, const std::atomic<bool>* stop = nullptr,
                     TrainingCommunicator* communicator = nullptr);

/// The number that options.micro_batches stands for.
std::int64_t resolved_micro_batches(const TrainingOptions& options, const TrainingCommunicator* communicator);

/// The Gaussian marginals that a trained model's samples follow, physical units, N x n; through LibTorch (the plugin's
/// counterpart for tests and `compare`). For strategies that hold the laws these are of the constrained law. l1_layer with
/// several laws has no Gaussian marginals: mean is the mapped mean, variance that of the map's linear piece there.
struct PredictedMarginals {
  RowMatrix network_mean, network_standard_deviation;  ///< of the head, before the laws
  RowMatrix mean, variance;                            ///< after them
};
PredictedMarginals predict(const ModelFile& model, const SampleSet& samples);

/// Threads that LibTorch uses (at::set_num_threads), told once by the command line; 0: all.
void set_training_threads(int threads);

}  // namespace lavoisier

#endif
