// Part of tile_kernels.inl: right-hand sides, the constrain step, the closure.

LAVOISIER_KERNEL void scalar(const ScalarArguments& a) {
  LAVOISIER_LANES
  for (std::int64_t c = 0; c < a.stride; ++c) {
    const double left = a.left[c * a.left_step];
    const double right = a.right[c * a.right_step];
    double result = 0.0;
    switch (a.code) {
      case 0: result = left + right; break;
      case 1: result = left - right; break;
      case 2: result = left * right; break;
      case 3: result = left / right; break;
      default: result = -left; break;
    }
    a.result[c] = result;
  }
}

/// Coefficients of the laws that all columns share. What these functions return is indexed by column.
struct SharedCoefficients {
  struct Number {
    double value;
    LAVOISIER_LOCAL double operator[](std::int64_t) const { return value; }
  };
  const ConstrainArguments& a;
  LAVOISIER_LOCAL Number row(std::int32_t entry) const { return {a.row_coefficient[entry]}; }
  LAVOISIER_LOCAL Number column(std::int32_t entry) const { return {a.column_coefficient[entry]}; }
  LAVOISIER_LOCAL Number pair(std::int32_t entry) const { return {a.pair_product[entry]}; }
};

/// Each column's own.
struct ColumnCoefficients {
  struct Numbers {
    const double* values;
    LAVOISIER_LOCAL double operator[](std::int64_t c) const { return values[c]; }
  };
  struct Products {
    const double *left, *right;
    LAVOISIER_LOCAL double operator[](std::int64_t c) const { return left[c] * right[c]; }
  };
  const ConstrainArguments& a;
  LAVOISIER_LOCAL Numbers row(std::int32_t entry) const { return {a.row_values + entry * a.stride}; }
  LAVOISIER_LOCAL Numbers column(std::int32_t entry) const { return row(a.column_entry[entry]); }
  LAVOISIER_LOCAL Products pair(std::int32_t entry) const {
    return {row(a.pair_left[entry]).values, row(a.pair_right[entry]).values};
  }
};

template <class Coefficients>
LAVOISIER_LOCAL void residuals(const ConstrainArguments& a, const Coefficients& coefficients) {
  for (std::int32_t k = 0; k < a.m; ++k) {
    double* residual = a.residual + k * a.stride;
    const double* d = a.right_hand_side + a.row_law[k] * a.stride;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) residual[c] = 0.0;
    for (std::int32_t t = a.row_begin[k]; t < a.row_begin[k + 1]; ++t) {
      const auto coefficient = coefficients.row(t);
      const double* y = a.y + a.row_element[t] * a.stride;
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) residual[c] += coefficient[c] * y[c];
    }
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) residual[c] -= d[c];
  }
}

/// y -= S A' W^-1 (A y - d), W = L L', columns of L that have no pivot left out. `masked`: columns whose `moves` is 0
/// keep their values.
template <bool masked, class Coefficients>
LAVOISIER_LOCAL void pass(const ConstrainArguments& a, const Coefficients& coefficients, const double* moves) {
  residuals(a, coefficients);
  for (std::int32_t k = 0; k < a.m; ++k) {
    double* residual = a.residual + k * a.stride;
    const double* row = a.factor + static_cast<std::int64_t>(k) * (k + 1) / 2 * a.stride;
    for (std::int32_t l = 0; l < k; ++l)
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) residual[c] -= row[l * a.stride + c] * a.residual[l * a.stride + c];
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) {
      const double quotient = residual[c] / row[k * a.stride + c];
      residual[c] = a.skipped[k * a.stride + c] != 0.0 ? 0.0 : quotient;
    }
  }
  for (std::int32_t k = a.m - 1; k >= 0; --k) {
    double* residual = a.residual + k * a.stride;
    for (std::int32_t l = k + 1; l < a.m; ++l) {
      const double* factor = a.factor + (static_cast<std::int64_t>(l) * (l + 1) / 2 + k) * a.stride;
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) residual[c] -= factor[c] * a.residual[l * a.stride + c];
    }
    const double* pivot = a.factor + (static_cast<std::int64_t>(k) * (k + 1) / 2 + k) * a.stride;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) {
      const double quotient = residual[c] / pivot[c];
      residual[c] = a.skipped[k * a.stride + c] != 0.0 ? 0.0 : quotient;
    }
  }
  for (std::int32_t i = 0; i < a.n; ++i) {
    if (a.column_begin[i] == a.column_begin[i + 1]) continue;
    double* y = a.y + i * a.stride;
    const double* variance = a.variance + i * a.stride;
    for (std::int64_t first = 0; first < a.stride; first += 8) {
      const std::int64_t lanes = a.stride - first < 8 ? a.stride - first : 8;
      double step[8] = {};
      for (std::int32_t t = a.column_begin[i]; t < a.column_begin[i + 1]; ++t) {
        const auto coefficient = coefficients.column(t);
        const double* lambda = a.residual + a.column_row[t] * a.stride + first;
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) step[c] += coefficient[first + c] * lambda[c];
      }
      if constexpr (masked) {
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) {
          const double moved = y[first + c] - variance[first + c] * step[c];
          y[first + c] = moves[first + c] != 0.0 ? moved : y[first + c];
        }
      } else {
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) y[first + c] -= variance[first + c] * step[c];
      }
    }
  }
}

/// Whether a row of a column misses the tolerance; residuals() has been there.
template <class Coefficients>
LAVOISIER_LOCAL bool misses(const ConstrainArguments& a, const Coefficients& coefficients, std::int32_t k,
                            std::int64_t c) {
  const double d = a.right_hand_side[a.row_law[k] * a.stride + c];
  double size = d < 0.0 ? -d : d;
  for (std::int32_t t = a.row_begin[k]; t < a.row_begin[k + 1]; ++t) {
    const double term = coefficients.row(t)[c] * a.y[a.row_element[t] * a.stride + c];
    size += term < 0.0 ? -term : term;
  }
  const double residual = a.residual[k * a.stride + c];
  return !((residual < 0.0 ? -residual : residual) <= a.tolerance * size);
}

/// Suspects whose laws do not hold are passed again: each pass leaves the residual times what the factor is off by.
template <class Coefficients>
LAVOISIER_LOCAL bool repeat_for_suspects(const ConstrainArguments& a, const Coefficients& coefficients) {
  bool any = false;
  for (std::int64_t c = 0; c < a.stride; ++c) any = any | (a.suspect[c] != 0.0);
  if (!any) return false;
  double moves[widest_tile];
  for (int again = 0; again < repeated_passes; ++again) {
    residuals(a, coefficients);
    bool open = false;
    for (std::int64_t c = 0; c < a.stride; ++c) {
      moves[c] = 0.0;
      for (std::int32_t k = 0; a.suspect[c] != 0.0 && k < a.m; ++k)
        if (a.skipped[k * a.stride + c] == 0.0 && misses(a, coefficients, k, c)) moves[c] = 1.0;
      open = open | (moves[c] != 0.0);
    }
    if (!open) break;
    pass<true>(a, coefficients, moves);
  }
  return true;
}

/// W = A S A' of the variances that are there, its factor, and which columns are suspects.
template <class Coefficients>
LAVOISIER_LOCAL void factorise_columns(const ConstrainArguments& a, const Coefficients& coefficients) {
  // W = A S A', then its Cholesky factor in place, row by row. A pivot that is nothing but rounding (16 units in the
  // last place of the row's own entry, m times) belongs to a row that the free outputs cannot move on their own.
  const double smallest = 16.0 * 0x1.0p-52 * static_cast<double>(a.m);
  LAVOISIER_LANES
  for (std::int64_t c = 0; c < a.stride; ++c) a.suspect[c] = 1.0;  // the determinant, until it is known
  for (std::int32_t k = 0; k < a.m; ++k) {
    double* row = a.factor + static_cast<std::int64_t>(k) * (k + 1) / 2 * a.stride;
    for (std::int32_t l = 0; l <= k; ++l) {
      double* entry = row + l * a.stride;
      const std::int32_t p = k * (k + 1) / 2 + l;
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) entry[c] = 0.0;
      for (std::int32_t t = a.pair_begin[p]; t < a.pair_begin[p + 1]; ++t) {
        const auto product = coefficients.pair(t);
        const double* variance = a.variance + a.pair_element[t] * a.stride;
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < a.stride; ++c) entry[c] += product[c] * variance[c];
      }
    }
    double* diagonal = row + k * a.stride;
    double* skipped = a.skipped + k * a.stride;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) skipped[c] = diagonal[c];
    for (std::int32_t l = 0; l < k; ++l) {
      double* entry = row + l * a.stride;
      const double* other = a.factor + static_cast<std::int64_t>(l) * (l + 1) / 2 * a.stride;
      for (std::int32_t j = 0; j < l; ++j)
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < a.stride; ++c) entry[c] -= row[j * a.stride + c] * other[j * a.stride + c];
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) {
        const double quotient = entry[c] / other[l * a.stride + c];
        entry[c] = a.skipped[l * a.stride + c] != 0.0 ? 0.0 : quotient;
        diagonal[c] -= entry[c] * entry[c];
      }
    }
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) {
      const bool regular = diagonal[c] > smallest * skipped[c];
      const double root = elementary::sqrt(regular ? diagonal[c] : 1.0);
      a.suspect[c] *= regular ? diagonal[c] / skipped[c] : 1.0;
      diagonal[c] = root;
      skipped[c] = regular ? 0.0 : 1.0;
    }
  }
  LAVOISIER_LANES
  for (std::int64_t c = 0; c < a.stride; ++c) a.suspect[c] = a.suspect[c] < suspect_determinant ? 1.0 : 0.0;
}

template <class Coefficients>
LAVOISIER_LOCAL void constrain_columns(const ConstrainArguments& a, const Coefficients& coefficients) {
  const std::int64_t count = a.n * a.stride;
  for (std::int64_t j = 0; j < count; ++j) a.y[j] = a.z[j];
  if (a.m == 0) return;
  if (a.squared_scale == nullptr) {
    LAVOISIER_LANES
    for (std::int64_t j = 0; j < count; ++j) a.variance[j] = a.deviation[j] * a.deviation[j];
  } else {
    for (std::int32_t i = 0; i < a.n; ++i) {
      const double scale = a.squared_scale[i];
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c)
        a.variance[i * a.stride + c] = a.deviation == nullptr || a.deviation[i * a.stride + c] != 0.0 ? scale : 0.0;
    }
  }
  factorise_columns(a, coefficients);
  pass<false>(a, coefficients, nullptr);
  pass<false>(a, coefficients, nullptr);
  // Laws without a pivot must hold already: among constants, or as a consequence of the others. Suspects must have
  // reached theirs.
  bool any = repeat_for_suspects(a, coefficients);
  for (std::int64_t j = 0; j < a.m * a.stride; ++j) any = any | (a.skipped[j] != 0.0);
  if (!any) return;
  residuals(a, coefficients);
  for (std::int32_t k = 0; k < a.m; ++k)
    for (std::int64_t c = 0; c < a.stride; ++c) {
      if (a.skipped[k * a.stride + c] == 0.0 && a.suspect[c] == 0.0) continue;
      if (misses(a, coefficients, k, c)) a.deficient[c] = 1;
    }
}

LAVOISIER_KERNEL void constrain(const ConstrainArguments& a) {
  if (a.row_values == nullptr)
    constrain_columns(a, SharedCoefficients{a});
  else
    constrain_columns(a, ColumnCoefficients{a});
}

LAVOISIER_KERNEL void factorise(const ConstrainArguments& a) {
  if (a.row_values == nullptr)
    factorise_columns(a, SharedCoefficients{a});
  else
    factorise_columns(a, ColumnCoefficients{a});
}

template <class Coefficients>
LAVOISIER_LOCAL void pass_once(const ConstrainArguments& a, const Coefficients& coefficients) {
  pass<false>(a, coefficients, nullptr);
  if (a.suspect != nullptr) repeat_for_suspects(a, coefficients);
}

LAVOISIER_KERNEL void single_pass(const ConstrainArguments& a) {
  if (a.row_values == nullptr)
    pass_once(a, SharedCoefficients{a});
  else
    pass_once(a, ColumnCoefficients{a});
}

LAVOISIER_KERNEL void closure(const ClosureArguments& a) {
  for (std::int32_t l = 0; l < a.laws; ++l) {
    const double* d = a.right_hand_side + l * a.stride;
    for (std::int64_t first = 0; first < a.stride; first += 8) {
      const std::int64_t lanes = a.stride - first < 8 ? a.stride - first : 8;
      double sum[8] = {}, size[8] = {};
      for (std::int32_t t = a.term_begin[l]; t < a.term_begin[l + 1]; ++t) {
        const double* y = a.y + a.term_element[t] * a.stride + first;
        const double* own = a.term_values == nullptr ? nullptr : a.term_values + t * a.stride + first;
        double product[8];
        if (own == nullptr) {
          const double coefficient = a.term_coefficient[t];
          LAVOISIER_LANES
          for (std::int64_t c = 0; c < lanes; ++c) product[c] = coefficient * y[c];
        } else {
          LAVOISIER_LANES
          for (std::int64_t c = 0; c < lanes; ++c) product[c] = own[c] * y[c];
        }
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) {
          sum[c] += product[c];
          size[c] += product[c] < 0.0 ? -product[c] : product[c];
        }
      }
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < lanes; ++c) {
        const double residual = sum[c] - d[first + c];
        const double magnitude = size[c] + (d[first + c] < 0.0 ? -d[first + c] : d[first + c]);
        const double absolute = residual < 0.0 ? -residual : residual;
        // Infinite terms say nothing about closing: NaN, and the caller flags the column.
        const double relative = absolute == 0.0 ? 0.0 : absolute / magnitude;
        a.residual[l * a.stride + first + c] = residual;
        a.relative[l * a.stride + first + c] = magnitude - magnitude == 0.0 ? relative : magnitude - magnitude;
      }
    }
  }
}
