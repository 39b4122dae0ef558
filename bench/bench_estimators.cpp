// Gradient estimators: relative squared bias, variance and mean squared error with respect to mu and to log s, against
// the exact gradient, and who is below whom. Eight random problems a cell (mu ~ N(0, 1), log s ~ N(-0.3, 0.5^2), A = 1'
// or n/4 rows of N(0, 1/n), the target a draw), 200 gradients each after 64 draws that only the state sees. Intervals
// are Student's, of the mean over problems of log (MSE_a / MSE_b).

#include <lavoisier/estimators.hpp>
#include <lavoisier/exact_losses.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>

namespace {

using namespace lavoisier;
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr int problems = 8;
constexpr double student = 2.3646;  // 97.5 % of t with 7 degrees of freedom
int gradients = 200;
int reference_blocks = 32;  // of 4096 draws

struct Moments {
  double bias = 0.0, variance = 0.0, error = 0.0;  // relative to the exact gradient's square
};
struct Score {
  std::array<Moments, 2> part;  // mu, log s
  double seconds = 0.0;
};

struct Network {
  Matrix W;  // hidden x n
  Vector bias, out;
};

/// One sample, and its dense conditional law.
struct Problem {
  RowMatrix A, mean, s, d, y;
  Network network;
  Matrix P, V;
  Vector m, a_lambda;

  Problem(Eigen::Index n, Eigen::Index rows, unsigned seed) : A(rows, n), mean(1, n), s(1, n), d(1, rows), y(1, n) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    const auto fill = [&](auto& matrix, double scale) {
      for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = scale * normal(engine);
    };
    fill(mean, 1.0);
    fill(s, 0.5);
    s = (s.array() - 0.3).exp();
    if (rows == 1) {
      A.setOnes();
    } else {
      fill(A, 1.0 / std::sqrt(static_cast<double>(n)));
    }
    RowMatrix e(1, n);
    fill(e, 1.0);
    d = (mean + s.cwiseProduct(e)) * A.transpose();
    fill(e, 1.0);
    y = conditional_draw(A, mean, s, d, e);
    network.W.resize(32, n);
    network.bias.resize(32);
    network.out.resize(32);
    fill(network.W, 1.0 / std::sqrt(static_cast<double>(n)));
    fill(network.bias, 0.5);
    fill(network.out, 1.0 / std::sqrt(32.0));
    const Vector S = s.row(0).array().square();
    const Matrix B = S.asDiagonal() * A.transpose();
    const Eigen::LLT<Matrix> W(A * B);
    const Vector lambda = W.solve(A * mean.transpose() - d.transpose());
    P = Matrix::Identity(n, n) - B * W.solve(Matrix(A));
    V = P * S.asDiagonal();
    V = (0.5 * (V + V.transpose())).eval();
    m = mean.row(0).transpose() - B * lambda;
    a_lambda = A.transpose() * lambda;
  }
  Eigen::Index n() const { return A.cols(); }
  /// Gradient in mu and in log s from those in m and in V.
  std::array<Vector, 2> chain(const Vector& m_bar, const Matrix& V_bar) const {
    const Vector mu_bar = P.transpose() * m_bar;
    const Matrix S_bar = P.transpose() * V_bar * P;
    const Vector S = s.row(0).array().square();
    return {mu_bar, (2.0 * S.array() * (S_bar.diagonal().array() - mu_bar.array() * a_lambda.array())).matrix()};
  }
};

std::array<Vector, 2> in_log_s(const Problem& problem, const GaussianGradient& gradient) {
  return {gradient.mean.row(0).transpose(), gradient.standard_deviation.row(0).cwiseProduct(problem.s.row(0)).transpose()};
}

// -- per-draw losses --

double absolute_error(const Problem& problem, const double* y, double* g) {
  const double share = 1.0 / static_cast<double>(problem.n());
  double sum = 0.0;
  for (Eigen::Index j = 0; j < problem.n(); ++j) {
    const double error = y[j] - problem.y(0, j);
    sum += share * std::abs(error);
    g[j] = error > 0.0 ? share : -share;
  }
  return sum;
}
double log_sum_exp(const Problem& problem, const double* y, double* g) {
  const double largest = *std::max_element(y, y + problem.n());
  double sum = 0.0;
  for (Eigen::Index j = 0; j < problem.n(); ++j) sum += g[j] = std::exp(y[j] - largest);
  for (Eigen::Index j = 0; j < problem.n(); ++j) g[j] /= sum;
  return largest + std::log(sum);
}
double network(const Problem& problem, const double* y, double* g) {
  const Network& net = problem.network;
  const Eigen::Map<const Vector> input(y, problem.n());
  const Vector hidden = (net.W * input + net.bias).array().tanh();
  Eigen::Map<Vector>(g, problem.n()) =
      net.W.transpose() * (net.out.array() * (1.0 - hidden.array().square())).matrix();
  return net.out.dot(hidden);
}
/// |y - y*| - |y - m| / sqrt 2: E |Y - Y'| = sqrt 2 E |Y - m| needs no pairs.
double energy(const Problem& problem, const double* y, double* g) {
  const Eigen::Map<const Vector> at(y, problem.n());
  const Vector from_target = at - problem.y.row(0).transpose(), from_mean = at - problem.m;
  Eigen::Map<Vector>(g, problem.n()) = from_target.normalized() - std::sqrt(0.5) * from_mean.normalized();
  return from_target.norm() - std::sqrt(0.5) * from_mean.norm();
}

struct Folded {
  double value, mean_bar, variance_bar;
};
Folded folded(double mu, double variance) {
  const double sigma = std::sqrt(variance), density = std::exp(-0.5 * mu * mu / variance) / std::sqrt(2.0 * M_PI);
  const double both = std::erf(mu / (sigma * std::sqrt(2.0)));
  return {2.0 * sigma * density + mu * both, both, density / sigma};
}
/// 2 w (E |Y_i - Y_j| - |y*_i - y*_j|), exact: the linearised score is a loss of single draws.
Matrix variogram_slopes(const Problem& problem) {
  const Eigen::Index n = problem.n();
  Matrix slopes = Matrix::Zero(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = i + 1; j < n; ++j)
      slopes(i, j) = 4.0 / static_cast<double>(n * (n - 1)) *
                     (folded(problem.m[i] - problem.m[j], problem.V(i, i) + problem.V(j, j) - 2.0 * problem.V(i, j)).value -
                      std::abs(problem.y(0, i) - problem.y(0, j)));
  return slopes;
}

// -- exact gradients --

/// E out'tanh(W y + bias): one normal a hidden unit; trapezoidal rule, which converges geometrically.
std::array<Vector, 2> exact_network(const Problem& problem) {
  const Network& net = problem.network;
  Vector m_bar = Vector::Zero(problem.n());
  Matrix V_bar = Matrix::Zero(problem.n(), problem.n());
  for (Eigen::Index h = 0; h < net.out.size(); ++h) {
    const Vector w = net.W.row(h);
    const double centre = w.dot(problem.m) + net.bias[h], tau = std::sqrt(w.dot(problem.V * w));
    double first = 0.0, second = 0.0;
    for (double z = -12.0; z <= 12.0; z += 0.03125) {
      const double t = std::tanh(centre + tau * z);
      const double density = 0.03125 * std::exp(-0.5 * z * z) / std::sqrt(2.0 * M_PI);
      first += density * (1.0 - t * t);
      second += density * -2.0 * t * (1.0 - t * t);
    }
    m_bar += net.out[h] * first * w;
    V_bar += 0.5 * net.out[h] * second * w * w.transpose();
  }
  return problem.chain(m_bar, V_bar);
}
/// By eigenvalues of V, on a rule four times finer and much longer than the library's.
std::array<Vector, 2> dense_energy(const Problem& problem) {
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(problem.V);
  const Matrix Q = eigen.eigenvectors();
  const Vector values = eigen.eigenvalues().cwiseMax(0.0);
  const Vector delta = Q.transpose() * (problem.m - problem.y.row(0).transpose());
  Vector m_bar = Vector::Zero(problem.n());
  Matrix V_bar = Matrix::Zero(problem.n(), problem.n());
  for (double t = -60.0; t <= 60.0; t += 0.1) {
    const double u = std::exp(t), weight = 0.1 / (2.0 * std::sqrt(M_PI)) / std::sqrt(u);
    const Vector spread = 1.0 + 2.0 * u * values.array();
    const Vector x = delta.cwiseQuotient(spread);
    const double log_phi_0 = -0.5 * spread.array().log().sum();
    const double phi_0 = std::exp(log_phi_0), phi = std::exp(log_phi_0 - u * delta.dot(x));
    m_bar += weight * 2.0 * u * phi * x;
    V_bar -= weight * 2.0 * u * u * phi * x * x.transpose();
    V_bar.diagonal() += weight * u * (phi - std::sqrt(0.5) * phi_0) * spread.cwiseInverse();
  }
  return problem.chain(Q * m_bar, Q * V_bar * Q.transpose());
}
std::array<Vector, 2> dense_variogram(const Problem& problem, const Matrix& slopes) {
  const Eigen::Index n = problem.n();
  Vector m_bar = Vector::Zero(n);
  Matrix V_bar = Matrix::Zero(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = i + 1; j < n; ++j) {
      const Folded f =
          folded(problem.m[i] - problem.m[j], problem.V(i, i) + problem.V(j, j) - 2.0 * problem.V(i, j));
      m_bar[i] += slopes(i, j) * f.mean_bar;
      m_bar[j] -= slopes(i, j) * f.mean_bar;
      const double bar = slopes(i, j) * f.variance_bar;
      V_bar(i, i) += bar;
      V_bar(j, j) += bar;
      V_bar(i, j) -= bar;
      V_bar(j, i) -= bar;
    }
  return problem.chain(m_bar, V_bar);
}

// -- cells --

constexpr std::array<const char*, 5> losses = {"l1", "lse", "network", "energy", "variogram"};
constexpr std::array<Estimator, 5> estimators = {Estimator::marginal_expectation, Estimator::pathwise,
                                                 Estimator::score_function, Estimator::rao_blackwell,
                                                 Estimator::rao_blackwell_shrunk};
struct Cell {
  int loss;
  Eigen::Index n, m;
  int draws;
  std::array<std::array<Score, problems>, 5> score;
  std::array<std::array<double, 2>, problems> exact_error{};  // of the closed form: energy and variogram
  double reference_error = 0.0;  // largest relative variance of a reference
  std::string name() const {
    return std::string(losses[static_cast<std::size_t>(loss)]) + "_n" + std::to_string(n) + "_m" + std::to_string(m) +
           "_k" + std::to_string(draws);
  }
  double mean_error(std::size_t estimator, std::size_t part) const {
    double sum = 0.0;
    for (const Score& of : score[estimator]) sum += of.part[part].error / problems;
    return sum;
  }
};

/// Cells that share a problem (4 and 16 draws), problem number p.
void run_problem(std::array<Cell*, 2> cells, int p) {
  const Cell& first = *cells[0];
  const Problem problem(first.n, first.m, static_cast<unsigned>(1000 * first.n + 10 * p + (first.m > 1)));
  const Matrix slopes = first.loss == 4 ? variogram_slopes(problem) : Matrix();
  const Vector ones = Vector::Ones(problem.n());
  const DrawLoss loss = [&](Eigen::Index, const double* y, double* g) {
    switch (first.loss) {
      case 0: return absolute_error(problem, y, g);
      case 1: return log_sum_exp(problem, y, g);
      case 2: return network(problem, y, g);
      case 3: return energy(problem, y, g);
      default: break;
    }
    double sum = 0.0;
    std::fill_n(g, problem.n(), 0.0);
    for (Eigen::Index i = 0; i < problem.n(); ++i)
      for (Eigen::Index j = i + 1; j < problem.n(); ++j) {
        const double slope = y[i] > y[j] ? slopes(i, j) : -slopes(i, j);
        sum += slope * (y[i] - y[j]);
        g[i] += slope;
        g[j] -= slope;
      }
    return sum;
  };
  std::array<Vector, 2> exact;
  std::array<double, 2> reference_variance = {0.0, 0.0};
  switch (first.loss) {
    case 0:
      exact = in_log_s(problem, conditional_absolute_error_loss(problem.A, problem.mean, problem.s, problem.d,
                                                                problem.y, ones)
                                    .gradient);
      break;
    case 2: exact = exact_network(problem); break;
    case 3: exact = dense_energy(problem); break;
    case 4: exact = dense_variogram(problem, slopes); break;
    default: {
      // Rao-Blackwell on Latin hypercubes of 4096 draws: far below 1e6 antithetic ones in variance.
      EstimatorOptions options;
      options.draws = 4096;
      options.seed = 77;
      EstimatorState state(problem.n());
      exact = {Vector::Zero(problem.n()), Vector::Zero(problem.n())};
      std::array<double, 2> squares = {0.0, 0.0};
      for (int block = 0; block < reference_blocks; ++block) {
        options.step = static_cast<std::uint64_t>(block);
        const auto part = in_log_s(
            problem, estimate_gradient(problem.A, problem.mean, problem.s, problem.d, loss, options, &state).gradient);
        for (std::size_t q = 0; q < 2; ++q) {
          exact[q] += part[q] / reference_blocks;
          squares[q] += part[q].squaredNorm() / reference_blocks;
        }
      }
      for (std::size_t q = 0; q < 2; ++q)
        reference_variance[q] = (squares[q] - exact[q].squaredNorm()) / (reference_blocks - 1);
    }
  }
  const auto index = static_cast<std::size_t>(p);
  for (Cell* cell : cells) {
    for (std::size_t q = 0; q < 2; ++q)
      cell->reference_error = std::max(cell->reference_error, reference_variance[q] / exact[q].squaredNorm());
    if (cell->loss >= 3) {
      const GaussianGradient gradient =
          cell->loss == 3
              ? conditional_energy_loss(problem.A, problem.mean, problem.s, problem.d, problem.y, ones).gradient
              : conditional_variogram_loss(problem.A, problem.mean, problem.s, problem.d, problem.y, ones).gradient;
      const auto closed = in_log_s(problem, gradient);
      for (std::size_t q = 0; q < 2; ++q)
        cell->exact_error[index][q] = (closed[q] - exact[q]).norm() / exact[q].norm();
    }
    for (std::size_t i = 0; i < estimators.size(); ++i) {
      EstimatorOptions options;
      options.estimator = estimators[i];
      options.draws = cell->draws;
      options.seed = 1 + static_cast<std::uint64_t>(p);
      options.level = ShrinkageLevel::sample;
      EstimatorState state(problem.n());
      std::array<Vector, 2> sum = {Vector::Zero(problem.n()), Vector::Zero(problem.n())};
      std::array<double, 2> squares = {0.0, 0.0};
      const int past = 64 / cell->draws;
      std::chrono::steady_clock::time_point begin;
      for (int r = -past; r < gradients; ++r) {
        if (r == 0) begin = std::chrono::steady_clock::now();
        options.step = static_cast<std::uint64_t>(r + past);
        const auto part = in_log_s(
            problem, estimate_gradient(problem.A, problem.mean, problem.s, problem.d, loss, options, &state).gradient);
        for (std::size_t q = 0; r >= 0 && q < 2; ++q) {
          const Vector error = part[q] - exact[q];
          sum[q] += error;
          squares[q] += error.squaredNorm();
        }
      }
      Score& score = cell->score[i][index];
      score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / gradients;
      for (std::size_t q = 0; q < 2; ++q) {
        const double count = gradients, size = exact[q].squaredNorm();
        const double error = squares[q] / count, apparent = (sum[q] / count).squaredNorm();
        const double variance = (error - apparent) * count / (count - 1.0);
        score.part[q] = {(apparent - variance / count - reference_variance[q]) / size, variance / size,
                         (error - reference_variance[q]) / size};
      }
    }
  }
}

/// -1: a is below b (95 %), 1: above, 0: within the interval.
int compare(const Cell& cell, std::size_t a, std::size_t b, std::size_t part) {
  double sum = 0.0, squares = 0.0;
  for (std::size_t p = 0; p < problems; ++p) {
    const double ratio = std::log(cell.score[a][p].part[part].error / cell.score[b][p].part[part].error);
    sum += ratio;
    squares += ratio * ratio;
  }
  const double mean = sum / problems;
  const double half = student * std::sqrt((squares / problems - mean * mean) / (problems - 1));
  return mean + half < 0.0 ? -1 : (mean - half > 0.0 ? 1 : 0);
}

struct Bar {
  const char* name;
  std::size_t a, b, part;
};
constexpr Bar bars[] = {{"rao_blackwell_vs_pathwise_mu", 3, 1, 0},
                        {"rao_blackwell_vs_pathwise_log_s", 3, 1, 1},
                        {"rao_blackwell_vs_marginal_expectation_mu", 3, 0, 0},
                        {"shrunk_vs_pathwise_mu", 4, 1, 0},
                        {"shrunk_vs_marginal_expectation_mu", 4, 0, 0},
                        {"shrunk_vs_pathwise_log_s", 4, 1, 1},
                        {"shrunk_vs_marginal_expectation_log_s", 4, 0, 1},
                        {"rao_blackwell_vs_marginal_expectation_log_s", 3, 0, 1}};

void print(const std::vector<Cell>& cells) {
  std::printf("Relative mean squared error (bias^2 + variance), mean of %d problems, %d gradients each\n\n", problems,
              gradients);
  std::printf("| loss n/m K | mu: ME | PW | SF | RB | shrunk | log s: ME | PW | SF | RB | shrunk (bias^2) | exact form |\n"
              "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  double reference = 0.0;
  for (const Cell& cell : cells) {
    std::printf("| %s %d/%d %d |", losses[static_cast<std::size_t>(cell.loss)], static_cast<int>(cell.n),
                static_cast<int>(cell.m), cell.draws);
    for (std::size_t q = 0; q < 2; ++q)
      for (std::size_t i = 0; i < 5; ++i) std::printf(" %.3g%s", cell.mean_error(i, q), q == 1 && i == 4 ? "" : " |");
    double bias = 0.0, worst = 0.0;
    for (std::size_t p = 0; p < problems; ++p) {
      bias += cell.score[4][p].part[1].bias / problems;
      worst = std::max({worst, cell.exact_error[p][0], cell.exact_error[p][1]});
    }
    std::printf(" (%.2g) |", bias);
    if (cell.loss >= 3) {
      std::printf(" %.1e |\n", worst);
    } else {
      std::printf(" |\n");
    }
    reference = std::max(reference, cell.reference_error);
  }
  std::printf("\nLargest relative variance of a sampled reference: %.1e\n\n| bar | won | tied | lost | not won |\n"
              "|---|---|---|---|---|\n", reference);
  for (const Bar& bar : bars) {
    int count[3] = {0, 0, 0};
    std::string rest;
    for (const Cell& cell : cells) {
      if (cell.loss >= 3) continue;
      const int result = compare(cell, bar.a, bar.b, bar.part);
      ++count[result + 1];
      if (result >= 0)
        rest += " " + cell.name() + (result > 0 ? "(lost " : "(tie ") +
                std::to_string(cell.mean_error(bar.a, bar.part) / cell.mean_error(bar.b, bar.part)).substr(0, 5) + ")";
    }
    std::printf("| %s | %d | %d | %d |%s |\n", bar.name, count[0], count[1], count[2], rest.c_str());
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  int selected = -1;
  for (int i = 1; i < argc; ++i)
    if (std::strncmp(argv[i], "--loss=", 7) == 0) selected = std::atoi(argv[i] + 7);
  std::vector<Cell> cells;
  for (int loss = 0; loss < 5; ++loss)
    for (const Eigen::Index n : {10, 30, 70, 100})
      for (const Eigen::Index m : {Eigen::Index{1}, n / 4})
        for (const int draws : {4, 16})
          if (selected < 0 || selected == loss) cells.push_back({loss, n, m, draws, {}, {}, 0.0});
  const auto tasks = static_cast<int>(cells.size() / 2 * problems);
  // A pair of cells goes to one thread, problem after problem: they add to the same cell.
#pragma omp parallel for schedule(dynamic)
  for (int task = tasks / problems - 1; task >= 0; --task)
    for (int p = 0; p < problems; ++p)
      run_problem({&cells[static_cast<std::size_t>(2 * task)], &cells[static_cast<std::size_t>(2 * task + 1)]}, p);
  print(cells);
  for (const Cell& cell : cells) {
    for (std::size_t i = 0; i < estimators.size(); ++i)
      benchmark::RegisterBenchmark((cell.name() + "/" + to_string(estimators[i])).c_str(),
                                   [&cell, i](benchmark::State& state) {
                                     double seconds = 0.0;
                                     for (const Score& score : cell.score[i]) seconds += score.seconds / problems;
                                     for (auto unused : state) {
                                       (void)unused;
                                       state.SetIterationTime(seconds);
                                     }
                                     for (std::size_t q = 0; q < 2; ++q) {
                                       Moments mean;
                                       for (const Score& score : cell.score[i]) {
                                         mean.bias += score.part[q].bias / problems;
                                         mean.variance += score.part[q].variance / problems;
                                         mean.error += score.part[q].error / problems;
                                       }
                                       const std::string of = q == 0 ? "_mu" : "_log_s";
                                       state.counters["bias2" + of] = mean.bias;
                                       state.counters["variance" + of] = mean.variance;
                                       state.counters["mse" + of] = mean.error;
                                     }
                                   })
          ->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
    if (cell.loss >= 3)
      benchmark::RegisterBenchmark((cell.name() + "/exact").c_str(),
                                   [&cell](benchmark::State& state) {
                                     double worst[2] = {0.0, 0.0};
                                     for (const auto& error : cell.exact_error)
                                       for (std::size_t q = 0; q < 2; ++q) worst[q] = std::max(worst[q], error[q]);
                                     for (auto unused : state) (void)unused;
                                     state.counters["error_mu"] = worst[0];
                                     state.counters["error_log_s"] = worst[1];
                                   })
          ->Iterations(1);
  }
  for (const Bar& bar : bars)
    benchmark::RegisterBenchmark((std::string("bar/") + bar.name).c_str(),
                                 [&cells, bar](benchmark::State& state) {
                                   int count[3] = {0, 0, 0};
                                   for (const Cell& cell : cells)
                                     if (cell.loss < 3) ++count[compare(cell, bar.a, bar.b, bar.part) + 1];
                                   for (auto unused : state) (void)unused;
                                   state.counters["won"] = count[0];
                                   state.counters["tied"] = count[1];
                                   state.counters["lost"] = count[2];
                                 })
        ->Iterations(1);
  int arguments = 0;
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i)
    if (std::strncmp(argv[i], "--loss=", 7) != 0) {
      rest.push_back(argv[i]);
      ++arguments;
    }
  benchmark::Initialize(&arguments, rest.data());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
