#ifndef LAVOISIER_APPS_SVG_HPP
#define LAVOISIER_APPS_SVG_HPP

// Charts and maps as inline SVG, for the report.

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier::cli::svg {

std::string escaped(const std::string& text);

/// Round tick values that cover [low, high].
std::vector<double> ticks(double low, double high, int about);

/// Marks of a logarithmic axis that covers [low, high], both > 0: powers of ten, with 2 and 5 times them where these are few.
std::vector<double> logarithmic_ticks(double low, double high);
/// A number beside a mark.
std::string tick_text(double value);

enum class Scale { sequential, diverging };
/// Colour of t in [0, 1], "#rrggbb".
std::string colour(Scale scale, double t);

/// A chart with axes. Points outside the ranges are clipped.
class Chart {
 public:
  Chart(double width, double height, std::string title, std::string x_label, std::string y_label);
  void x_range(double low, double high) { x_low_ = low, x_high_ = high; }
  void y_range(double low, double high) { y_low_ = low, y_high_ = high; }
  /// Instead of round numbers.
  void x_ticks(std::vector<std::pair<double, std::string>> marks) { x_marks_ = std::move(marks); }
  void y_ticks(std::vector<std::pair<double, std::string>> marks) { y_marks_ = std::move(marks); }
  void left_margin(double margin) { left_ = margin; }

  void line(std::span<const double> x, std::span<const double> y, const std::string& style);   ///< broken at NaN
  void band(std::span<const double> x, std::span<const double> low, std::span<const double> high, const std::string& style);
  void bar(double x_from, double x_to, double y_from, double y_to, const std::string& style);
  void point(double x, double y, double radius, const std::string& style, const std::string& hint);
  void rule_x(double x, const std::string& style);
  void rule_y(double y, const std::string& style);
  void note(double x, double y, const std::string& text, const std::string& style);
  std::string text() const;

 private:
  double px(double x) const;
  double py(double y) const;
  double width_, height_, left_ = 52, right_ = 12, top_ = 24, bottom_ = 36;
  double x_low_ = 0, x_high_ = 1, y_low_ = 0, y_high_ = 1;
  std::string title_, x_label_, y_label_, body_;
  std::vector<std::pair<double, std::string>> x_marks_, y_marks_;
};

struct MapStyle {
  std::string title, units;
  Scale scale = Scale::sequential;
  double low = 0.0, high = 1.0;
  bool logarithmic = false;  ///< low, high > 0; smaller values get the lowest colour
  bool sphere = true;        ///< axes in degrees
};
/// values: rows x columns, NaN left grey; row and column coordinates are the centres.
std::string map(std::span<const double> values, std::span<const double> rows, std::span<const double> columns,
                const MapStyle& style);

}  // namespace lavoisier::cli::svg

#endif
