// Trains each kind of generator on the synthetic problem by the processes that mpirun started; rank 0 writes the model.
// mpi_training GENERATOR FILE

#include "synthetic.hpp"

#include <lavoisier/mpi_training_communicator.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <cstdio>

int main(int count, char** words) {
  using namespace lavoisier;
  if (count != 3) return 1;
  const auto processes = make_mpi_training_communicator();
  try {
    const test::Synthetic problem = test::synthetic();
    TrainingOptions options;
    options.network.hidden = {16, 16};
    options.epochs = 3;
    options.batch = 100;
    options.threads = 1;
    options.generator.name = words[1];
    if (options.generator.name == "vae") {
      options.generator.latents = {2};
      options.loss = Loss::likelihood;
    } else if (options.generator.name == "ddpm") {
      options.loss = Loss::squared_error;
    } else {
      options.network.dropout = 0.1;
    }
    const TrainingResult result = train(problem.samples, problem.constraints(), options, {}, nullptr, processes.get());
    if (processes->rank() == 0) result.model.write(words[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", processes->rank(), error.what());
    abort_mpi(2);
  }
  return 0;
}
