"""The random numbers of docs/model-file.md, so that a draw of the plugin can be computed in Python too.

Philox4x64-10: Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
"""
import math

import torch

_MASK = (1 << 64) - 1


def philox(counter, key):
    """Four words of 64 bits from a counter of four and a key of two."""
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (right >> 64) ^ b ^ k, right & _MASK, (left >> 64) ^ d ^ l, left & _MASK
        k, l = (k + 0x9E3779B97F4A7C15) & _MASK, (l + 0xBB67AE8584CAA73B) & _MASK
    return a, b, c, d


def stream_of(digest):
    """The default stream of a model file."""
    return int(digest[:16], 16)


def normals(seed, stream, columns, step, member, site, count):
    """(columns, count) standard normals, FP64; member counts from 0."""
    rows = []
    for column in range(columns):
        for element in range(count):
            words = philox((column, step, (member << 32) + site, element << 16), (seed, stream))
            u = ((words[0] >> 11) + 1) * 2.0**-53
            v = (words[1] >> 11) * 2.0**-53
            rows.append(math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v))
    return torch.tensor(rows, dtype=torch.float64).reshape(columns, count)
