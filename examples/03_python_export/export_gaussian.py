"""export_gaussian.py FOLDER [--twin]: trains a network whose mean and deviation are conditioned on two laws, and
writes FOLDER/gaussian.safetensors with draws to check it by. --twin adds gaussian_twin.safetensors: the same, but that
one weight of the file is off, which compare.py must find.
"""
import pathlib
import sys

import torch
from torch import nn
from torch.nn.functional import softplus

import model_file
import slab_ocean
from slab_ocean import A, OUTPUTS

FLOOR = 1e-3


class Network(nn.Module):
    """Mean and standard deviation in physical units, before the laws."""

    def __init__(self, x, y, width=64):
        super().__init__()
        n = len(OUTPUTS)
        self.first, self.second = nn.Linear(x.shape[1], width), nn.Linear(width, width)
        self.last = nn.Linear(width, 2 * n)
        self.silu = nn.SiLU()
        self.input_mean, self.input_scale = x.mean(0), x.std(0)
        self.output_mean, self.output_scale = y.mean(0), y.std(0)

    def forward(self, x):
        x = ((x - self.input_mean) / self.input_scale).float()
        h = self.silu(self.first(x))
        h = h + self.silu(self.second(h))
        mean, raw = self.last(h).double().chunk(2, dim=1)
        return self.output_mean + self.output_scale * mean, self.output_scale * (FLOOR + softplus(raw))

    def export(self):
        graph = model_file.Graph()
        x = graph.add("standardize", ["inputs"], mean=self.input_mean, scale=self.input_scale)
        h = graph.add("silu", [graph.dense(x, self.first)])
        h = graph.add("add", [h, graph.add("silu", [graph.dense(h, self.second)])])
        mean, deviation = graph.add("gaussian_head", [graph.dense(h, self.last)], ["mean", "deviation"],
                                    output_mean=self.output_mean, output_scale=self.output_scale,
                                    floor=torch.tensor([FLOOR], dtype=torch.float64), parametrization="softplus")
        e = graph.add("normal_noise", site=0)
        z = graph.add("gaussian_draw", [mean, deviation, e])
        graph.add("constrain", [z, deviation], ["outputs"], metric="covariance")
        return graph


def negative_log_likelihood(y, mean, deviation):
    """-log p(y | A y = 0) of y ~ N(mean, S), but for a constant: log N(0; A mean, A S A') - log N(y; mean, S)."""
    w = torch.einsum("ij,bj,kj->bik", A, deviation**2, A)
    factor = torch.linalg.cholesky(w)
    r = torch.linalg.solve_triangular(factor, (mean @ A.T).unsqueeze(2), upper=False).squeeze(2)
    free = 0.5 * ((y - mean) / deviation).square().sum(1) + deviation.log().sum(1)
    laws = 0.5 * r.square().sum(1) + factor.diagonal(dim1=1, dim2=2).log().sum(1)
    return (free - laws).mean()


def main(folder, twin):
    torch.set_num_threads(1)  # the fastest for layers as small as these
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    x, y = slab_ocean.weather(12000, generator)
    held_x, held_y = slab_ocean.weather(2000, generator)
    network = Network(x, y)
    slab_ocean.train(network, lambda rows: negative_log_likelihood(y[rows], *network(x[rows])), "negative log-likelihood",
                     count=len(x), rows=256, steps=700, generator=generator)

    with torch.no_grad():
        mean, deviation = network(held_x)
        first, second = (slab_ocean.constrain(mean + deviation * torch.randn_like(mean), deviation**2)
                         for _ in range(2))
        slab_ocean.check_spread(first, second, held_y, network.output_scale)

        for name, off in (("gaussian", 0.0), ("gaussian_twin", 0.02))[:2 if twin else 1]:
            graph = network.export()
            graph.tensors["dense3.weight"][0, 0] += off
            digest = slab_ocean.write(folder / f"{name}.safetensors", graph, "gaussian_diagonal", x)
            # What the plugin should draw from this file.
            checked = held_x[:slab_ocean.COLUMNS]
            mean, deviation = network(checked)
            draws = [slab_ocean.constrain(mean + deviation * slab_ocean.noise(digest, member, 0), deviation**2)
                     for member in range(slab_ocean.MEMBERS)]
            slab_ocean.write_checks(folder, name, checked, draws, network.output_scale)


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--twin"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    main(pathlib.Path(arguments[0]), "--twin" in sys.argv)
