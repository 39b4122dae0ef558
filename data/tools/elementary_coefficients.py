#!/usr/bin/env python3
"""Derives the polynomials of lavoisier/elementary.hpp (needs mpmath) and prints them as C++ hexadecimal literals.

Each is the near-minimax (Chebyshev) polynomial of a smooth remainder in 60 digits, rounded to the working precision;
the last column is the error that the rounded polynomial leaves, relative to the function itself, as a power of two.
"""
import struct
from mpmath import mp, mpf

mp.dps = 60


def hex_double(value):
    return float(value).hex()


def round_float(value):
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def fit(name, remainder, combine, function, low, high, count, single=False):
    coefficients = mp.chebyfit(remainder, [low, high], count)  # highest degree first
    rounded = [mpf(round_float(c) if single else float(c)) for c in coefficients]
    worst = mpf(0)
    for i in range(2001):
        x = low + (high - low) * mpf(i) / 2000
        exact = function(x)
        if exact != 0:
            worst = max(worst, abs(combine(x, mp.polyval(rounded, x)) / exact - 1))
    print(f"{name}: 2^{mp.nstr(mp.log(worst, 2), 4)}")
    for degree, c in enumerate(reversed(rounded)):
        print(f"  c{degree} = {hex_double(c)}{'f' if single else ''}")



half_ln2 = mp.log(2) / 2 * mpf("1.0001")


def exp_remainder(r):  # (e^r - 1 - r) / r^2
    return mp.fsum(r**k / mp.factorial(k + 2) for k in range(50))


for count, single in ((10, False), (5, True)):
    fit("exp float" if single else "exp", exp_remainder, lambda r, p: 1 + r + r * r * p, mp.exp,
        -half_ln2, half_ln2, count, single)


def expm1_error(r):
    return mp.expm1(r)


fit("expm1 float", exp_remainder, lambda r, p: r + r * r * p, expm1_error, -half_ln2, half_ln2, 6, True)

# log(1 + f) = 2 atanh(s) = 2 s + s z R(z), s = f / (2 + f), z = s^2 <= 0.2^2
def atanh_remainder(z):
    return mp.fsum(2 * z**k / (2 * k + 3) for k in range(60))


fit("log", atanh_remainder, lambda z, p: 2 + z * p, lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) if z else mpf(2),
    mpf(0), mpf("0.0401"), 8)

# sin(2 pi r) = r (2 pi + q S(q)), cos(2 pi r) = 1 + q C(q), q = r^2 <= 1/64
def sin_remainder(q):
    return mp.fsum((-1) ** k * (2 * mp.pi) ** (2 * k + 1) * q ** (k - 1) / mp.factorial(2 * k + 1) for k in range(1, 40))


def cos_remainder(q):
    return mp.fsum((-1) ** k * (2 * mp.pi) ** (2 * k) * q ** (k - 1) / mp.factorial(2 * k) for k in range(1, 40))


fit("sin 2 pi r", sin_remainder, lambda q, p: 2 * mp.pi + q * p,
    lambda q: mp.sin(2 * mp.pi * mp.sqrt(q)) / mp.sqrt(q) if q else 2 * mp.pi, mpf(0), mpf(1) / 64, 7)
fit("cos 2 pi r", cos_remainder, lambda q, p: 1 + q * p, lambda q: mp.cos(2 * mp.pi * mp.sqrt(q)),
    mpf(0), mpf(1) / 64, 7)

# ln 2 in two parts, the first short enough that its product with an exponent is exact.
ln2 = mp.log(2)
high = mp.floor(ln2 * mpf(2) ** 42) / mpf(2) ** 42
print("ln2 high", hex_double(high), "low", hex_double(ln2 - high))
high = mp.floor(ln2 * mpf(2) ** 15) / mpf(2) ** 15
print("ln2 high float", hex_double(high), "low", hex_double(round_float(ln2 - high)))
print("1/ln2", hex_double(1 / ln2), "float", hex_double(round_float(1 / ln2)))
print("2 pi", hex_double(2 * mp.pi), "low", hex_double(2 * mp.pi - mpf(float(2 * mp.pi))))

# erf(x) = x Q(x^2) for |x| < 0.75; beyond, erf(|x|) = 1 - e^(-x^2) P(t) with P = e^(x^2) erfc(x), t = (x - 2) / (x + 2),
# up to x = 6. Only the product with e^(-x^2) counts: P is fitted by least squares with that weight.
def erf_ratio(q):
    return mp.erf(mp.sqrt(q)) / mp.sqrt(q) if q else 2 / mp.sqrt(mp.pi)


fit("erf, small", erf_ratio, lambda q, p: p, erf_ratio, mpf(0), mpf("0.5625"), 10)


def fit_weighted(name, function, weight, low, high, degree):
    nodes = [(high + low) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (8 * degree)) for k in range(4 * degree)]
    matrix = mp.matrix(len(nodes), degree + 1)
    right = mp.matrix(len(nodes), 1)
    for row, t in enumerate(nodes):
        for power in range(degree + 1):
            matrix[row, power] = weight(t) * t**power
        right[row] = weight(t) * function(t)
    rounded = [mpf(float(c)) for c in mp.lu_solve(matrix, right)]
    points = [low + (high - low) * mpf(i) / 2000 for i in range(2001)]
    worst = max(abs(weight(t) * (mp.polyval(rounded[::-1], t) - function(t))) for t in points)
    print(f"{name}: 2^{mp.nstr(mp.log(worst, 2), 4)} (absolute)")
    for power, c in enumerate(rounded):
        print(f"  c{power} = {hex_double(c)}")


def from_t(t):
    return 2 * (1 + t) / (1 - t)


fit_weighted("erf, large", lambda t: mp.exp(from_t(t) ** 2) * mp.erfc(from_t(t)), lambda t: mp.exp(-from_t(t) ** 2),
             mpf("-1.25") / mpf("2.75"), mpf("0.5"), 12)
