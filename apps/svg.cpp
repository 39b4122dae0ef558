#include "svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace lavoisier::cli::svg {
namespace {

constexpr int colours = 40;  // classes of a map: few enough to group cells by colour

// Cell edges from centres.
std::vector<double> edges(std::span<const double> centres) {
  const std::size_t n = centres.size();
  if (n == 0) return {0.0, 1.0};
  if (n == 1) return {centres[0] - 0.5, centres[0] + 0.5};
  std::vector<double> result(n + 1);
  for (std::size_t i = 1; i < n; ++i) result[i] = 0.5 * (centres[i - 1] + centres[i]);
  result[0] = 2 * centres[0] - result[1];
  result[n] = 2 * centres[n - 1] - result[n - 1];
  return result;
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
    }
  }
  return result;
}

std::vector<double> ticks(double low, double high, int about) {
  const double raw = (high - low) / about;
  if (!(raw > 0.0) || !std::isfinite(raw)) return {low};
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * magnitude;
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * magnitude >= raw) {
      step = factor * magnitude;
      break;
    }
  }
  std::vector<double> result;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1.0) {
    result.push_back(std::abs(k) < 0.5 ? 0.0 : k * step);
  }
  return result;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  const auto from = static_cast<int>(std::floor(std::log10(low))), to = static_cast<int>(std::ceil(std::log10(high)));
  const int step = std::max(1, (to - from + 7) / 8);
  const bool between = to - from <= 3;
  std::vector<double> result;
  for (int k = from; k <= to; k += step) {
    for (double factor : {1.0, 2.0, 5.0}) {
      const double mark = factor * std::pow(10.0, k);
      if ((between || factor == 1.0) && mark >= low * (1 - 1e-9) && mark <= high * (1 + 1e-9)) result.push_back(mark);
    }
  }
  return result;
}

std::string tick_text(double value) {
  if (value != 0.0 && (std::abs(value) >= 1e5 || std::abs(value) < 1e-3)) return fmt::format("{:.0e}", value);
  std::string text = fmt::format("{:g}", value);
  if (!text.empty() && text[0] == '-') text = "\u2212" + text.substr(1);
  return text;
}

std::string colour(Scale scale, double t) {
  using Rgb = std::array<double, 3>;
  static const std::vector<Rgb> sequential = {{226, 238, 249}, {198, 219, 239}, {158, 202, 225}, {99, 168, 211},
                                              {49, 130, 189},  {15, 90, 160},   {8, 48, 107}};
  static const std::vector<Rgb> diverging = {{5, 48, 97},     {33, 102, 172},  {67, 147, 195},  {146, 197, 222},
                                             {209, 229, 240}, {247, 247, 247}, {253, 219, 199}, {244, 165, 130},
                                             {214, 96, 77},   {178, 24, 43},   {103, 0, 31}};
  const auto& stops = scale == Scale::sequential ? sequential : diverging;
  const double at = std::clamp(t, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  const double f = at - static_cast<double>(low);
  std::array<int, 3> rgb{};
  for (std::size_t i = 0; i < 3; ++i) {
    rgb[i] = static_cast<int>(std::lround(stops[low][i] + f * (stops[low + 1][i] - stops[low][i])));
  }
  return fmt::format("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]);
}

Chart::Chart(double width, double height, std::string title, std::string x_label, std::string y_label)
    : width_(width), height_(height), title_(std::move(title)), x_label_(std::move(x_label)), y_label_(std::move(y_label)) {}

double Chart::px(double x) const {
  const double t = (x - x_low_) / (x_high_ - x_low_);
  return left_ + std::clamp(t, -0.02, 1.02) * (width_ - left_ - right_);
}
double Chart::py(double y) const {
  const double t = (y - y_low_) / (y_high_ - y_low_);
  return height_ - bottom_ - std::clamp(t, -0.02, 1.02) * (height_ - top_ - bottom_);
}

void Chart::line(std::span<const double> x, std::span<const double> y, const std::string& style) {
  std::string path;
  bool pen = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
      pen = false;
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", pen ? "L" : "M", px(x[i]), py(y[i]));
    pen = true;
  }
  body_ += fmt::format("<path d=\"{}\" fill=\"none\" style=\"{}\"/>", path, style);
}

void Chart::band(std::span<const double> x, std::span<const double> low, std::span<const double> high,
                 const std::string& style) {
  std::size_t i = 0;
  while (i < x.size()) {
    while (i < x.size() && (!std::isfinite(low[i]) || !std::isfinite(high[i]))) ++i;
    std::size_t end = i;
    std::string up, down;
    while (end < x.size() && std::isfinite(low[end]) && std::isfinite(high[end])) {
      up += fmt::format("{}{:.1f} {:.1f}", end == i ? "M" : "L", px(x[end]), py(high[end]));
      down = fmt::format("L{:.1f} {:.1f}", px(x[end]), py(low[end])) + down;
      ++end;
    }
    if (end > i) body_ += fmt::format("<path d=\"{}{}Z\" style=\"stroke:none;{}\"/>", up, down, style);
    i = end;
  }
}

void Chart::bar(double x_from, double x_to, double y_from, double y_to, const std::string& style) {
  const double x0 = px(x_from), x1 = px(x_to), y0 = py(y_from), y1 = py(y_to);
  body_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" style=\"{}\"/>", std::min(x0, x1),
                       std::min(y0, y1), std::abs(x1 - x0), std::abs(y1 - y0), style);
}

void Chart::point(double x, double y, double radius, const std::string& style, const std::string& hint) {
  body_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" style=\"{}\"><title>{}</title></circle>", px(x), py(y),
                       radius, style, escaped(hint));
}

void Chart::rule_x(double x, const std::string& style) {
  body_ += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" style=\"{3}\"/>", px(x), top_,
                       height_ - bottom_, style);
}

void Chart::rule_y(double y, const std::string& style) {
  body_ += fmt::format("<line x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" style=\"{3}\"/>", py(y), left_,
                       width_ - right_, style);
}

void Chart::note(double x, double y, const std::string& text, const std::string& style) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" style=\"{}\">{}</text>", px(x), py(y), style, escaped(text));
}

std::string Chart::text() const {
  std::string axes;
  std::vector<std::pair<double, std::string>> x_marks = x_marks_, y_marks = y_marks_;
  if (x_marks.empty()) {
    for (double t : ticks(x_low_, x_high_, 5)) x_marks.emplace_back(t, tick_text(t));
  }
  if (y_marks.empty()) {
    for (double t : ticks(y_low_, y_high_, 5)) y_marks.emplace_back(t, tick_text(t));
  }
  for (const auto& [value, label] : x_marks) {
    axes += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>"
                        "<text class=\"tick\" text-anchor=\"middle\" x=\"{0:.1f}\" y=\"{3:.1f}\">{4}</text>",
                        px(value), top_, height_ - bottom_, height_ - bottom_ + 13, escaped(label));
  }
  for (const auto& [value, label] : y_marks) {
    axes += fmt::format("<line class=\"grid\" x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>"
                        "<text class=\"tick\" text-anchor=\"end\" x=\"{3:.1f}\" y=\"{4:.1f}\">{5}</text>",
                        py(value), left_, width_ - right_, left_ - 5, py(value) + 3.5, escaped(label));
  }
  axes += fmt::format("<path class=\"axis\" d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\"/>", left_, top_, height_ - bottom_,
                      width_ - right_);
  std::string labels = fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"14\">{}</text>", left_, escaped(title_));
  if (!x_label_.empty()) {
    labels += fmt::format("<text class=\"label\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
                          0.5 * (left_ + width_ - right_), height_ - 5, escaped(x_label_));
  }
  if (!y_label_.empty()) {
    labels += fmt::format("<text class=\"label\" text-anchor=\"middle\" transform=\"translate(11 {:.1f}) rotate(-90)\">{}</text>",
                          0.5 * (top_ + height_ - bottom_), escaped(y_label_));
  }
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}{}{}</svg>", width_, height_,
                     escaped(title_), axes, body_, labels);
}

std::string map(std::span<const double> values, std::span<const double> rows, std::span<const double> columns,
                const MapStyle& style) {
  const std::vector<double> xs = edges(columns), ys = edges(rows);
  const std::size_t nx = xs.size() - 1, ny = ys.size() - 1;
  const double x0 = std::min(xs.front(), xs.back()), x1 = std::max(xs.front(), xs.back());
  double y0 = std::min(ys.front(), ys.back()), y1 = std::max(ys.front(), ys.back());
  if (style.sphere) {
    y0 = std::max(y0, -90.0);
    y1 = std::min(y1, 90.0);
  }
  constexpr double width = 520, left = 34, top = 24, bar_space = 46;
  const double plot = width - left - 8;
  const double unit = plot / (x1 - x0);
  const double unit_y = style.sphere ? unit : 0.5 * plot / (y1 - y0);
  const double plot_height = (y1 - y0) * unit_y;
  const double height = top + plot_height + 18 + bar_space;
  const auto px = [&](double x) { return left + (x - x0) * unit; };
  const auto py = [&](double y) { return top + (y1 - std::clamp(y, y0, y1)) * unit_y; };
  const auto place = [&](double value) {
    if (!style.logarithmic) return (value - style.low) / (style.high - style.low);
    return value <= style.low ? 0.0 : std::log(value / style.low) / std::log(style.high / style.low);
  };

  std::map<int, std::string> paths;
  for (std::size_t j = 0; j < ny; ++j) {
    std::size_t i = 0;
    while (i < nx) {
      const double value = values[j * nx + i];
      if (std::isnan(value)) {
        ++i;
        continue;
      }
      const auto kind = [&](double v) { return std::clamp(static_cast<int>(place(v) * colours), 0, colours - 1); };
      const int c = kind(value);
      std::size_t end = i + 1;
      while (end < nx && !std::isnan(values[j * nx + end]) && kind(values[j * nx + end]) == c) ++end;
      const double ya = std::min(py(ys[j]), py(ys[j + 1])), yb = std::max(py(ys[j]), py(ys[j + 1]));
      const double xa = std::min(px(xs[i]), px(xs[end])), xb = std::max(px(xs[i]), px(xs[end]));
      paths[c] += fmt::format("M{:.1f} {:.1f}H{:.1f}V{:.1f}H{:.1f}Z", xa, ya, xb, yb, xa);
      i = end;
    }
  }
  std::string body = fmt::format("<rect class=\"land\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", left,
                                 top, plot, plot_height);
  for (const auto& [c, path] : paths) {
    const std::string fill = colour(style.scale, (c + 0.5) / colours);
    // A hair of stroke in the same colour closes the seams between neighbours.
    body += fmt::format("<path d=\"{0}\" fill=\"{1}\" stroke=\"{1}\" stroke-width=\".3\"/>", path, fill);
  }
  const double degrees = style.sphere ? 60.0 : 0.0;
  const auto x_marks = degrees > 0 ? std::vector<double>{} : ticks(x0, x1, 6);
  std::string axes;
  const auto x_tick = [&](double x, const std::string& label) {
    axes += fmt::format("<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", px(x),
                        top + plot_height + 12, label);
  };
  const auto y_tick = [&](double y, const std::string& label) {
    axes += fmt::format("<text class=\"tick\" text-anchor=\"end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", left - 4, py(y) + 3.5, label);
  };
  if (style.sphere) {
    for (double x = std::ceil(x0 / 60.0) * 60.0; x <= x1; x += 60.0) {
      double east = std::fmod(x, 360.0);
      if (east < 0) east += 360.0;
      const bool west = east > 180.0;
      x_tick(x, fmt::format("{:g}\u00b0{}", west ? 360.0 - east : east, east == 0.0 || east == 180.0 ? "" : west ? "W" : "E"));
    }
    for (double y : {-60.0, -30.0, 0.0, 30.0, 60.0}) {
      if (y >= y0 && y <= y1) y_tick(y, fmt::format("{:g}\u00b0{}", std::abs(y), y < 0 ? "S" : y > 0 ? "N" : ""));
    }
  } else {
    for (double x : x_marks) x_tick(x, tick_text(x));
    for (double y : ticks(y0, y1, 5)) y_tick(y, tick_text(y));
  }
  // Colour bar.
  const double bar_y = top + plot_height + 24, bar_x = left + 0.15 * plot, bar_width = 0.7 * plot;
  for (int c = 0; c < colours; ++c) {
    axes += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"9\" fill=\"{}\"/>",
                        bar_x + bar_width * c / colours, bar_y, bar_width / colours + 0.4, colour(style.scale, (c + 0.5) / colours));
  }
  std::vector<double> marks;
  if (style.logarithmic) {
    const int from = static_cast<int>(std::ceil(std::log10(style.low) - 1e-9)), to = static_cast<int>(std::floor(std::log10(style.high) + 1e-9));
    const int step = std::max(1, (to - from + 5) / 6);
    for (int k = from; k <= to; k += step) marks.push_back(std::pow(10.0, k));
  } else {
    marks = ticks(style.low, style.high, 6);
  }
  for (double mark : marks) {
    const std::string label = style.logarithmic ? fmt::format("{:.0e}", mark) : tick_text(mark);
    axes += fmt::format("<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
                        bar_x + bar_width * place(mark), bar_y + 20, label);
  }
  axes += fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", bar_x + bar_width + 8, bar_y + 8.5,
                      escaped(style.units));
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">"
                     "<text class=\"title\" x=\"{:.1f}\" y=\"14\">{}</text>{}{}</svg>",
                     width, height, escaped(style.title), left, escaped(style.title), body, axes);
}

}  // namespace lavoisier::cli::svg
