// The table of strategies, the enum and docs/strategies.md say the same.

#include <lavoisier/status.hpp>
#include <lavoisier/strategy.hpp>


#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace lavoisier {
namespace {

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> result;
  std::string cell;
  std::istringstream stream(line.substr(1));
  while (std::getline(stream, cell, '|')) {
    const std::size_t first = cell.find_first_not_of(' '), last = cell.find_last_not_of(' ');
    result.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return result;
}

template <class Words>
std::string joined(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

TEST(StrategyTable, HasEveryValueOfTheEnumOnceInItsOrder) {
  const auto all = strategies();
  ASSERT_EQ(all.size(), static_cast<std::size_t>(Strategy::conditional) + 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(all[i].strategy), i);
    EXPECT_EQ(strategy_from(std::string(all[i].name)), all[i].strategy);
    EXPECT_EQ(to_string(all[i].strategy), all[i].name);
    EXPECT_EQ(&descriptor(all[i].strategy), &all[i]);
    EXPECT_EQ(all[i].holds_laws, all[i].density != DensityMeasure::volume) << all[i].name;
    EXPECT_TRUE(admits(all[i].strategy, Loss::squared_error)) << all[i].name;
  }
  EXPECT_THROW(descriptor(static_cast<Strategy>(8)), Error);
}

TEST(StrategyTable, IsThePageOfTheDocumentation) {
  std::ifstream file(LAVOISIER_STRATEGY_PAGE);
  ASSERT_TRUE(file) << LAVOISIER_STRATEGY_PAGE;
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);)
    if (line.rfind("| `", 0) == 0) rows.push_back(cells(line));
  const auto all = strategies();
  ASSERT_EQ(rows.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<std::string>& row = rows[i];
    ASSERT_EQ(row.size(), 8U) << all[i].name;
    EXPECT_EQ(row[0], "`" + std::string(all[i].name) + "`");
    EXPECT_EQ(row[1].empty(), all[i].source.empty());
    EXPECT_EQ(row[1].substr(0, 12), std::string(all[i].source.substr(0, 12)));
    EXPECT_EQ(row[3], all[i].holds_laws ? "yes" : "no") << all[i].name;
    const char* const measures[] = {"none", "volume", "surface"};
    EXPECT_EQ(row[4].substr(0, row[4].find(' ')), measures[static_cast<int>(all[i].density)]) << all[i].name;
    std::vector<std::string> losses;
    for (const Loss loss : all[i].losses) losses.emplace_back(to_string(loss));
    EXPECT_EQ(row[6].substr(0, row[6].find(" (")), joined(losses)) << all[i].name;
    EXPECT_EQ(row[7], joined(all[i].estimators)) << all[i].name;
  }
}

TEST(StrategyTable, RefusesWithTheLegalOnes) {
  EXPECT_NO_THROW(require_admitted(Strategy::l1_layer, Loss::squared_error));
  EXPECT_NO_THROW(require_admitted(Strategy::l1_layer, Loss::crps, true));
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::invalid_argument);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  };
  EXPECT_EQ(message([] { require_admitted(Strategy::l1_layer, Loss::crps); }),
            "strategy 'l1_layer' has no loss 'crps' with several laws, or with coefficients that differ between samples; its "
            "losses: squared_error; 'crps' is a loss of: none, penalty, completion, projection, variance_projection, "
            "post_hoc, conditional");
  EXPECT_EQ(message([] { require_admitted(Strategy::projection, "rao_blackwell"); }),
            "strategy 'projection' has no estimator 'rao_blackwell'; its estimators: exact, pathwise, score_function");
  EXPECT_NE(message([] { strategy_from("variance"); }).find("variance_projection"), std::string::npos);
  EXPECT_NE(message([] { loss_from("mse"); }).find("likelihood, crps, squared_error"), std::string::npos);
}

}  // namespace
}  // namespace lavoisier
