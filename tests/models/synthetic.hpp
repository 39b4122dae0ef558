#ifndef LAVOISIER_TESTS_MODELS_SYNTHETIC_HPP
#define LAVOISIER_TESTS_MODELS_SYNTHETIC_HPP

// A linear Gaussian problem whose conditional law is known: z ~ N(B x + c, S), y = z given y0 + y1 - 2 y2 = x0.

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/sample_set.hpp>

#include <Eigen/Dense>

#include <filesystem>
#include <string>
#include <unistd.h>

namespace lavoisier::test {

struct Synthetic {
  StateLayout layout;
  std::vector<Law> laws;
  SampleSet samples;
  RowMatrix mean;            ///< exact conditional mean of each sample
  Eigen::VectorXd variance;  ///< exact conditional variances

  LinearConstraints constraints() const { return {layout, laws, {}}; }
};

inline Variable scalar(std::string name, Role role, std::string units = "W m-2") {
  Variable variable;
  variable.name = std::move(name);
  variable.units = std::move(units);
  variable.role = role;
  return variable;
}

inline Law linear_law(std::string name, const std::vector<std::pair<std::string, double>>& terms, Expression right,
                      double tolerance = 1e-9) {
  Law law;
  law.name = std::move(name);
  law.equation = law.name;
  law.units = "W m-2";
  for (const auto& [variable, coefficient] : terms) law.terms.push_back({variable, Expression(coefficient)});
  law.right_hand_side = std::move(right);
  law.physics_tolerance = tolerance;
  return law;
}

inline Synthetic synthetic(std::int64_t count = 1200) {
  Synthetic problem;
  problem.layout = StateLayout({}, {scalar("x0", Role::input), scalar("x1", Role::input), scalar("x2", Role::input),
                                    scalar("y0", Role::output), scalar("y1", Role::output), scalar("y2", Role::output)});
  problem.laws = {linear_law("balance", {{"y0", 1.0}, {"y1", 1.0}, {"y2", -2.0}}, Expression::symbol("x0"))};
  Eigen::Matrix3d B;
  B << 2.0, -1.0, 0.5, 1.0, 3.0, -2.0, 0.3, 0.2, 1.0;
  const Eigen::Vector3d c(5.0, -3.0, 100.0), s(1.0, 3.0, 0.7);
  const Eigen::RowVector3d a(1.0, 1.0, -2.0);
  const Eigen::Vector3d S = s.cwiseAbs2();
  const double W = (a.cwiseAbs2() * S)(0);
  const Eigen::Vector3d G = S.cwiseProduct(a.transpose()) / W;
  const Eigen::Matrix3d V = (Eigen::Matrix3d::Identity() - G * a) * S.asDiagonal();
  problem.variance = V.diagonal();
  problem.mean.resize(count, 3);

  SampleSet& samples = problem.samples;
  samples.layout = problem.layout;
  samples.samples = count;
  samples.source = "synthetic";
  for (std::int64_t row = 0; row < count; ++row) {
    Eigen::Vector3d x, e;
    for (int j = 0; j < 3; ++j) {
      const auto normal = [&](std::uint64_t element) {
        return random::normal({7, 0}, {.column = static_cast<std::uint64_t>(row), .element = element});
      };
      x[j] = 10.0 + 2.0 * normal(static_cast<std::uint64_t>(j));
      e[j] = normal(static_cast<std::uint64_t>(3 + j));
    }
    const Eigen::Vector3d mu = B * x + c, z = mu + s.cwiseProduct(e);
    const Eigen::Vector3d m = mu - G * (a * mu - x[0]);
    Eigen::Vector3d y = z - G * (a * z - x[0]);
    y -= G * (a * y - x[0]);
    problem.mean.row(row) = m.transpose();
    for (int j = 0; j < 3; ++j) {
      samples.inputs.push_back(x[j]);
      samples.outputs.push_back(y[j]);
    }
    samples.subset.push_back(row % 4 == 3 ? Subset::validation : Subset::training);
    samples.column.push_back(static_cast<std::uint64_t>(1000 + row));
    samples.step.push_back(static_cast<std::uint64_t>(row % 12));
  }
  return problem;
}

/// An empty folder that goes with the test.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("lavoisier-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Expects an Error of a status whose message holds each of the given parts.
#define EXPECT_ERROR(statement, expected, ...)                                                        \
  try {                                                                                               \
    statement;                                                                                        \
    ADD_FAILURE() << "no error";                                                                      \
  } catch (const ::lavoisier::Error& error) {                                                         \
    EXPECT_EQ(error.status(), expected) << error.what();                                              \
    for (const std::string& expected_part : std::vector<std::string>{__VA_ARGS__}) \
      EXPECT_NE(std::string(error.what()).find(expected_part), std::string::npos) << error.what() << "\nlacks: " << expected_part; \
  }

}  // namespace lavoisier::test

#endif
