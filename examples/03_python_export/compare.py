"""compare.py EXPECTED DRAWN: draws of `lavoisier generate` against those that PyTorch computed, and against the laws.

Ends with 3 if a value is off by more than 2e-5 of its output's scale (the network is FP32), or a law by more than 1e-14
of the sum of its terms.
"""
import csv
import sys

CLOSE, IDENTITY = 2e-5, 1e-14
LAWS = ({"FDR": 1, "FSR": -1, "FUL": 1}, {"FDH": 1, "FDR": -1, "FLH": 1, "FSH": 1})


def read(path):
    with open(path, newline="") as table:
        rows = list(csv.DictReader(table))
    return {(row.pop("member"), row.pop("sample")): {name: float(v) for name, v in row.items()} for row in rows}


def main(expected_path, drawn_path):
    expected, drawn = read(expected_path), read(drawn_path)
    scale = expected.pop(("scale", "-1"))
    if set(expected) != set(drawn):
        print(f"expected {len(expected)} draws, found {len(drawn)}, or others", file=sys.stderr)
        return 3
    worst, misfit = (0.0, None), 0.0
    for key, row in expected.items():
        for name, value in row.items():
            off = abs(drawn[key][name] - value) / scale[name]
            if not off <= worst[0]:  # a NaN is taken too
                worst = (off, (*key, name))
        for law in LAWS:
            terms = [sign * drawn[key][name] for name, sign in law.items()]
            misfit = max(misfit, abs(sum(terms)) / sum(map(abs, terms)))
    print(f"{len(expected)} draws: {worst[0]:.1e} of the output's scale from PyTorch's (member, sample, output: "
          f"{worst[1]}), laws missed by {misfit:.1e} of their terms")
    return 0 if worst[0] <= CLOSE and misfit <= IDENTITY else 3


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
