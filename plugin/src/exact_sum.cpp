#include <lavoisier/exact_sum.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

namespace lavoisier {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t mantissa_mask = (std::uint64_t{1} << 52) - 1;
constexpr int signs_and_exponents = 4096;
constexpr std::int64_t carry_after = std::int64_t{1} << 29;  // additions of less than 2^32 to a limb, four at a time

std::uint64_t bits_of(double x) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

}  // namespace

/// One a sign and exponent: the sum of the 52 bits behind the point, and from bit 96 how many there were. Two tables,
/// so that an addition need not wait for the one before.
struct ExactSumBins::Bins {
  Wide bin[2][signs_and_exponents];
};

ExactSumBins::ExactSumBins() : bins_(new Bins) { std::memset(static_cast<void*>(bins_.get()), 0, sizeof(Bins)); }
ExactSumBins::~ExactSumBins() = default;

void ExactSum::clear() noexcept { *this = ExactSum(); }

void ExactSum::add_at(int position, std::uint64_t low, std::uint64_t high, bool negative) noexcept {
  const int shift = position % 32;
  std::int64_t* limb = limb_ + position / 32;
  const Wide whole = (static_cast<Wide>(high) << 64 | low) << shift;
  const std::int64_t sign = negative ? -1 : 1;
  for (int i = 0; i < 4 && limb + i < limb_ + limb_count; ++i)
    limb[i] += sign * static_cast<std::int64_t>(static_cast<std::uint32_t>(whole >> 32 * i));
  if (++pending_ >= carry_after) carry();
}

void ExactSum::add(double x) noexcept {
  const std::uint64_t bits = bits_of(x);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff);
  const std::uint64_t mantissa = bits & mantissa_mask;
  if (exponent == 0x7ff) {
    ++non_finite_;
    return;
  }
  // At most 53 + 31 bits: three limbs, the last of which is none above position 2045.
  const int position = exponent == 0 ? 0 : exponent - 1;
  const std::uint64_t whole = exponent == 0 ? mantissa : mantissa | std::uint64_t{1} << 52;
  const int shift = position % 32;
  std::int64_t* limb = limb_ + position / 32;
  const std::int64_t sign = bits >> 63 != 0 ? -1 : 1;
  const std::uint64_t low = whole << shift, high = shift == 0 ? 0 : whole >> (64 - shift);
  limb[0] += sign * static_cast<std::int64_t>(low & 0xffffffffu);
  limb[1] += sign * static_cast<std::int64_t>(low >> 32);
  limb[2] += sign * static_cast<std::int64_t>(high);
  if (++pending_ >= carry_after) carry();
}

void ExactSum::add(const double* x, std::int64_t count, std::int64_t stride, ExactSumBins& scratch) noexcept {
  // Emptying the bins costs about as much as this many additions.
  constexpr std::int64_t few = 1024, most = std::int64_t{1} << 31;
  if (count < few) {
    for (std::int64_t i = 0; i < count; ++i) add(x[i * stride]);
    return;
  }
  auto& bins = *scratch.bins_;
  for (std::int64_t first = 0; first < count; first += most) {
    const std::int64_t last = std::min(count, first + most);
    constexpr Wide one = static_cast<Wide>(1) << 96;
    const auto put = [&](int table, double number) {
      const std::uint64_t bits = bits_of(number);
      bins.bin[table][bits >> 52] += one | (bits & mantissa_mask);
    };
    std::int64_t i = first;
    if (stride == 1) {
      for (; i + 4 <= last; i += 4) {
        put(0, x[i]);
        put(1, x[i + 1]);
        put(0, x[i + 2]);
        put(1, x[i + 3]);
      }
    }
    for (; i < last; ++i) put(0, x[i * stride]);
    for (int b = 0; b < signs_and_exponents; ++b) {
      for (auto& table : bins.bin) {
        const Wide found = table[b];
        if (found == 0) continue;
        table[b] = 0;
        const auto number = static_cast<std::uint64_t>(found >> 96);
        const int exponent = b & 0x7ff;
        if (exponent == 0x7ff) {
          non_finite_ += static_cast<std::int64_t>(number);
          continue;
        }
        Wide sum = found & (one - 1);
        if (exponent != 0) sum += static_cast<Wide>(number) << 52;
        add_at(exponent == 0 ? 0 : exponent - 1, static_cast<std::uint64_t>(sum), static_cast<std::uint64_t>(sum >> 64),
               b >= 2048);
      }
    }
  }
}

void ExactSum::add(const ExactSum& other) noexcept {
  ExactSum normal = other;
  normal.carry();
  carry();
  for (int i = 0; i < limb_count; ++i) limb_[i] += normal.limb_[i];
  pending_ = 1;
  non_finite_ += other.non_finite_;
}

void ExactSum::carry() noexcept {
  for (int i = 0; i + 1 < limb_count; ++i) {
    const std::int64_t up = limb_[i] >> 32;  // floor
    limb_[i] -= up * (std::int64_t{1} << 32);
    limb_[i + 1] += up;
  }
  pending_ = 0;
}

double ExactSum::value() const noexcept {
  if (non_finite_ != 0) return std::numeric_limits<double>::quiet_NaN();
  ExactSum normal = *this;
  normal.carry();
  const bool negative = normal.limb_[limb_count - 1] < 0;
  if (negative) {
    for (auto& limb : normal.limb_) limb = -limb;
    normal.carry();
  }
  int top = limb_count - 1;
  while (top >= 0 && normal.limb_[top] == 0) --top;
  if (top < 0) return 0.0;
  // N 2^-1074: its 53 leading bits, and whether the rest is more or less than half a unit of the last. The top limb may
  // hold more than 32 bits; a sum that large is infinite in any case.
  const auto bit = [&](std::int64_t at) {
    return at < 0 ? 0 : static_cast<int>(normal.limb_[at / 32] >> (at % 32) & 1);
  };
  const std::uint64_t sign = negative ? std::uint64_t{1} << 63 : 0;
  const auto result = [&](std::uint64_t bits) {
    double x;
    bits |= sign;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  };
  if (normal.limb_[top] >> 32 != 0) return result(std::uint64_t{0x7ff} << 52);
  std::int64_t leading = 32 * top + 31;
  while (bit(leading) == 0) --leading;
  const std::int64_t last = std::max<std::int64_t>(leading - 52, 0);  // the bit of the last place
  std::uint64_t mantissa = 0;
  for (std::int64_t at = leading; at >= last; --at) mantissa = mantissa << 1 | static_cast<std::uint64_t>(bit(at));
  if (bit(last - 1) != 0) {
    bool more = (mantissa & 1) != 0;
    for (std::int64_t at = last - 2; at >= 0 && !more; --at) more = bit(at) != 0;
    if (more) ++mantissa;
  }
  // Exponent field `last` + 1 with the leading one in the mantissa; below 2^52 (last = 0) a subnormal, just as it is.
  if (last >= 2046) return result(std::uint64_t{0x7ff} << 52);
  const std::uint64_t bits = (static_cast<std::uint64_t>(last) << 52) + mantissa;
  return result(std::min(bits, std::uint64_t{0x7ff} << 52));
}

void ExactSum::pack(std::int64_t* words) const noexcept {
  ExactSum normal = *this;
  normal.carry();
  std::copy_n(normal.limb_, limb_count, words);
  words[limb_count] = non_finite_;
}

void ExactSum::unpack(const std::int64_t* words) noexcept {
  std::copy_n(words, limb_count, limb_);
  non_finite_ = words[limb_count];
  carry();
}

}  // namespace lavoisier
