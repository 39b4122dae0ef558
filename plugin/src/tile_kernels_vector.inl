// Part of tile_kernels.inl: vectors of FP32 and one rounding of a * b + c.

#if defined(__AVX512F__)
struct Vector {
  static constexpr int lanes = 16;
  __m512 v;
  static LAVOISIER_LOCAL Vector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static LAVOISIER_LOCAL Vector broadcast(float x) { return {_mm512_set1_ps(x)}; }
  LAVOISIER_LOCAL void store(float* p) const { _mm512_storeu_ps(p, v); }
  static LAVOISIER_LOCAL Vector fused(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
};
#elif defined(__AVX2__) && defined(__FMA__)
struct Vector {
  static constexpr int lanes = 8;
  __m256 v;
  static LAVOISIER_LOCAL Vector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static LAVOISIER_LOCAL Vector broadcast(float x) { return {_mm256_set1_ps(x)}; }
  LAVOISIER_LOCAL void store(float* p) const { _mm256_storeu_ps(p, v); }
  static LAVOISIER_LOCAL Vector fused(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
};
#else
LAVOISIER_LOCAL float fused_multiply_add(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  // Exact without the instruction: the product is exact in double; its sum with c is rounded to odd (Boldo and
  // Melquiond 2008), so that the rounding to float is the only one that counts.
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);
  std::int64_t bits;
  __builtin_memcpy(&bits, &sum, sizeof bits);
  const bool inexact = (error > 0.0) | (error < 0.0);
  const std::int64_t toward = ((error > 0.0) == (sum > 0.0)) ? 1 : -1;
  bits += (inexact & ((bits & 1) == 0)) ? toward : 0;
  __builtin_memcpy(&sum, &bits, sizeof sum);
  return static_cast<float>(sum);
#endif
}
struct Vector {
  static constexpr int lanes = 4;
  float v[lanes];
  static LAVOISIER_LOCAL Vector load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static LAVOISIER_LOCAL Vector broadcast(float x) { return {{x, x, x, x}}; }
  LAVOISIER_LOCAL void store(float* p) const {
    for (int i = 0; i < lanes; ++i) p[i] = v[i];
  }
  static LAVOISIER_LOCAL Vector fused(const Vector& a, const Vector& b, const Vector& c) {
    Vector r;
    for (int i = 0; i < lanes; ++i) r.v[i] = fused_multiply_add(a.v[i], b.v[i], c.v[i]);
    return r;
  }
};
#endif

constexpr int panel = 16;  // panel_width of program.hpp
