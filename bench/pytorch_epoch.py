"""The epoch of bench_epoch.cpp in plain eager PyTorch: the yardstick (measured with
PyPI's torch 2.15.0: pip install torch==2.15.0).

  pytorch_epoch.py DATA LOSS

DATA: a file of 5 int64 (training rows, validation rows, inputs, outputs, laws), then float32, row-major: A (laws x
outputs), and for training, then validation, x, y and d (rows x inputs, outputs, laws). Standardised units.
LOSS: "conditional" (CRPS of the exact conditional law), "none" (CRPS of the Gaussian), "mse" (ReLU network, no
deviations: the published unconstrained network).

Two hidden layers of 32, Adam 1e-4, batch 16, one thread. An epoch: a permutation, all batches, the loss of the
validation rows, a copy of the weights if it is the best so far. For each line read from standard input: runs an epoch
and writes its seconds of processor time, its seconds and the validation loss. First line written: PyTorch's version.
"""

import copy
import math
import struct
import sys
import time

import torch
from torch import nn


def conditional_moments(A, mean, deviation, d):
    variance = deviation.square()
    gain = variance.unsqueeze(2) * A.T  # rows x outputs x laws
    W = A @ gain
    residual = d - mean @ A.T
    solution = torch.linalg.solve(W, torch.cat([residual.unsqueeze(2), gain.transpose(1, 2)], 2))
    moved = mean + (gain @ solution[:, :, :1]).squeeze(2)
    left = variance - (gain * solution[:, :, 1:].transpose(1, 2)).sum(2)
    return moved, left


def gaussian_crps(mean, variance, y):
    deviation = variance.sqrt()
    z = (y - mean) / deviation
    density = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
    return deviation * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with open(sys.argv[1], "rb") as file:
        rows, validation_rows, inputs, outputs, laws = struct.unpack("5q", file.read(40))
        numbers = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
    kind = sys.argv[2]
    at = 0

    def take(*shape):
        nonlocal at
        count = math.prod(shape)
        at += count
        return numbers[at - count : at].reshape(shape).clone()

    A = take(laws, outputs)
    x, y, d = take(rows, inputs), take(rows, outputs), take(rows, laws)
    validation = take(validation_rows, inputs), take(validation_rows, outputs), take(validation_rows, laws)

    activation = nn.ReLU if kind == "mse" else nn.SiLU
    width = outputs if kind == "mse" else 2 * outputs
    network = nn.Sequential(nn.Linear(inputs, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, width))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)

    def loss_of(x, y, d):
        h = network(x)
        if kind == "mse":
            return nn.functional.mse_loss(h, y)
        mean, raw = h.chunk(2, 1)
        deviation = 1e-3 + torch.exp(raw)
        if kind == "conditional":
            mean, variance = conditional_moments(A, mean, deviation, d)
        else:
            variance = deviation.square()
        return gaussian_crps(mean, variance, y).mean()

    best, best_weights = math.inf, None
    print(torch.__version__, flush=True)
    for _ in sys.stdin:
        begin, begin_cpu = time.perf_counter(), time.thread_time()
        total = 0.0
        for batch in torch.randperm(rows).split(16):
            optimiser.zero_grad()
            loss = loss_of(x[batch], y[batch], d[batch])
            loss.backward()
            optimiser.step()
            total += loss.item()
        with torch.no_grad():
            score = loss_of(*validation).item()
        if not math.isfinite(total + score):
            sys.exit("the loss is not finite")
        if score < best:
            best, best_weights = score, copy.deepcopy(network.state_dict())
        print(time.thread_time() - begin_cpu, time.perf_counter() - begin, score, flush=True)


if __name__ == "__main__":
    main()
