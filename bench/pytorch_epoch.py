"""The epoch of bench_epoch.cpp in plain eager PyTorch: the yardstick (measured with
PyPI's torch 2.15.0: pip install torch==2.15.0).

  pytorch_epoch.py DATA LOSS THREADS

DATA: a file of 5 int64 (training rows, validation rows, inputs, outputs, laws), then float32, row-major: A (laws x
outputs), and for training, then validation, x, y and d (rows x inputs, outputs, laws). Standardised units.
LOSS: "conditional" (CRPS of the exact conditional law), "none" (CRPS of the Gaussian), "mse" (ReLU network, no
deviations: the published unconstrained network); "vae_conditional", "vae_none": minus the evidence bound, the decoder's law
conditional on the laws, or without them.

Two hidden layers of 32, Adam 1e-4, batch 16; autoencoder: dense layers of 400, 20 latents, Adam 1e-3, batch 256. An epoch: a permutation, all batches, the loss of the
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


def gaussian_likelihood(mean, deviation, y):
    z = (y - mean) / deviation
    return (0.5 * z.square() + deviation.log()).sum(1) + 0.5 * y.shape[1] * math.log(2 * math.pi)


def conditional_likelihood(A, mean, deviation, d, y):
    """Minus the log density on the laws' surface."""
    W = (A * deviation.square().unsqueeze(1)) @ A.T
    factor = torch.linalg.cholesky(W)
    residual = torch.linalg.solve_triangular(factor, (d - mean @ A.T).unsqueeze(2), upper=False).squeeze(2)
    of_laws = 0.5 * residual.square().sum(1) + factor.diagonal(dim1=1, dim2=2).log().sum(1)
    of_laws = of_laws + 0.5 * A.shape[0] * math.log(2 * math.pi)
    return gaussian_likelihood(mean, deviation, y) - of_laws + 0.5 * torch.logdet(A @ A.T)


class Autoencoder(nn.Module):
    def __init__(self, inputs, outputs, hidden=400, latents=20):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(outputs + inputs, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latents))
        self.decoder = nn.Sequential(nn.Linear(inputs + latents, hidden), nn.SiLU(), nn.Linear(hidden, 2 * outputs))

    def forward(self, x, y):
        mean, raw = self.encoder(torch.cat([y, x], 1)).chunk(2, 1)
        deviation = 1e-3 + nn.functional.softplus(raw)
        z = mean + deviation * torch.randn_like(mean)
        kl = (0.5 * (deviation.square() + mean.square() - 1) - deviation.log()).sum(1)
        mean, raw = self.decoder(torch.cat([x, z], 1)).chunk(2, 1)
        return mean, 0.02 + torch.exp(raw), kl


def main():
    torch.set_num_threads(int(sys.argv[3]))
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

    autoencoder = kind.startswith("vae_")
    activation = nn.ReLU if kind == "mse" else nn.SiLU
    width = outputs if kind == "mse" else 2 * outputs
    network = nn.Sequential(nn.Linear(inputs, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, width))
    if autoencoder:
        network = Autoencoder(inputs, outputs)
        with torch.no_grad():
            network.decoder[-1].weight[outputs:] = 0
            network.decoder[-1].bias[outputs:] = math.log(0.48)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3 if autoencoder else 1e-4)

    def loss_of(x, y, d):
        if autoencoder:
            mean, deviation, kl = network(x, y)
            if kind == "vae_conditional":
                return (kl + conditional_likelihood(A, mean, deviation, d, y)).mean()
            return (kl + gaussian_likelihood(mean, deviation, y)).mean()
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
        for batch in torch.randperm(rows).split(256 if autoencoder else 16):
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
