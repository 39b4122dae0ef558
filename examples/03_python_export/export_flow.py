"""export_flow.py FOLDER [--twin]: trains a flow (Lipman et al. 2023, "Flow matching for generative modeling") in the
null space of two laws, and writes FOLDER/flow.safetensors with draws to check it by. --twin adds flow_twin.safetensors:
the same, but that one weight of the file is off, which compare.py must find.
"""
import math
import pathlib
import sys

import torch
from torch import nn

import model_file
import slab_ocean
from slab_ocean import A, OUTPUTS

STEPS = 16  # Euler steps of the sampler
SITE = 0


def null_space(w, laws):
    """Rows of w, moved orthogonally to the rows of `laws`: w - A' (A A')^-1 A w."""
    return w - torch.linalg.solve(laws @ laws.T, laws @ w.T).T @ laws


def nearest(c, laws):
    """The point of the laws A x = c that is nearest to 0: A' (A A')^-1 c."""
    return torch.linalg.solve(laws @ laws.T, c) @ laws


class Denoiser(nn.Module):
    """The velocity, in standardised units, of a state at a time from 0 (noise) to 1 (fluxes)."""

    def __init__(self, condition, width=96, frequencies=(0.25, 0.5, 1.0, 2.0)):
        super().__init__()
        n = len(OUTPUTS)
        self.frequencies = torch.tensor(frequencies, dtype=torch.float64)
        self.first = nn.Linear(condition + n + 2 * len(frequencies), width)
        self.second, self.last = nn.Linear(width, width), nn.Linear(width, n)
        self.norm = nn.LayerNorm(width)
        self.silu = nn.SiLU()

    def forward(self, condition, state, time):
        u = 2 * math.pi * time * self.frequencies
        x = torch.cat([condition, state, torch.cos(u).float(), torch.sin(u).float()], dim=1)
        h = self.silu(self.first(x))
        return self.last(h + self.silu(self.second(self.norm(h))))

    def export(self, graph, condition):
        embedding = graph.add("time_embedding", ["time"], frequencies=self.frequencies)
        x = graph.add("concat", [condition, "state", embedding])
        h = graph.add("silu", [graph.dense(x, self.first)])
        y = graph.add("layer_norm", [h], weight=self.norm.weight, bias=self.norm.bias, epsilon=self.norm.eps)
        h = graph.add("add", [h, graph.add("silu", [graph.dense(y, self.second)])])
        graph.add("dense", [h], ["prediction"], weight=self.last.weight, bias=self.last.bias)


class Flow(nn.Module):
    def __init__(self, x, y, width=48):
        super().__init__()
        self.input_mean, self.input_scale = x.mean(0), x.std(0)
        self.output_mean, self.output_scale = y.mean(0), y.std(0)
        self.laws = A * self.output_scale  # in standardised units
        self.trunk = nn.Linear(x.shape[1], width)
        self.denoiser = Denoiser(width)

    def condition(self, x):
        return torch.tanh(self.trunk(((x - self.input_mean) / self.input_scale).float()))

    def loss(self, x, y, generator):
        """Conditional flow matching on straight paths; the noise is in the null space of the laws, the fluxes on them."""
        end = (y - self.output_mean) / self.output_scale
        begin = null_space(torch.randn(y.shape, generator=generator, dtype=torch.float64), self.laws)
        time = torch.rand(len(y), 1, generator=generator, dtype=torch.float64)
        velocity = self.denoiser(self.condition(x), ((1 - time) * begin + time * end).float(), time)
        return null_space(velocity.double() - (end - begin), self.laws).square().sum(1).mean()

    def draw(self, x, noise):
        """The sampler of docs/model-file.md: method flow, projection null_space; then the constrain step."""
        condition = self.condition(x)
        state = null_space(noise, self.laws)
        # Onto the laws: A_s x = c, c = 0 - A output_mean.
        shift = nearest(-(A @ self.output_mean), self.laws)
        for k in range(STEPS):
            time = torch.full((len(x), 1), k / STEPS, dtype=torch.float64)
            net = self.denoiser(condition, (state + k / STEPS * shift).float(), time).double()
            state = state + null_space(net, self.laws) / STEPS
        return slab_ocean.constrain(self.output_mean + self.output_scale * (state + shift), self.output_scale**2)

    def export(self):
        graph = model_file.Graph()
        x = graph.add("standardize", ["inputs"], mean=self.input_mean, scale=self.input_scale)
        condition = graph.add("tanh", [graph.dense(x, self.trunk)])
        self.denoiser.export(graph.subgraph("denoiser"), condition)
        schedule = torch.zeros(STEPS, 7, dtype=torch.float64)  # t, p, q, r, u, v, a; a flow uses t, r and a
        schedule[:, 0] = schedule[:, 6] = torch.arange(STEPS) / STEPS
        schedule[:, 3] = 1 / STEPS
        z = graph.add("sample", [condition], schedule=schedule, output_mean=self.output_mean,
                      output_scale=self.output_scale, subgraph="denoiser", method="flow", projection="null_space",
                      site=SITE)
        graph.add("constrain", [z], ["outputs"], scale=self.output_scale, metric="scale")
        return graph


def main(folder, twin):
    torch.set_num_threads(1)  # the fastest for layers as small as these
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    x, y = slab_ocean.weather(20000, generator)
    held_x, held_y = slab_ocean.weather(2000, generator)
    flow = Flow(x, y)
    slab_ocean.train(flow, lambda rows: flow.loss(x[rows], y[rows], generator), "squared error of the velocity",
                     count=len(x), rows=512, steps=1000, generator=generator)

    with torch.no_grad():
        first, second = (flow.draw(held_x, torch.randn_like(held_y)) for _ in range(2))
        slab_ocean.check_spread(first, second, held_y, flow.output_scale)

        for name, off in (("flow", 0.0), ("flow_twin", 0.02))[:2 if twin else 1]:
            graph = flow.export()
            graph.tensors["denoiser.dense2.weight"][0, 0] += off
            digest = slab_ocean.write(folder / f"{name}.safetensors", graph, "sampled", x)
            # What the plugin should draw from this file.
            checked = held_x[:slab_ocean.COLUMNS]
            draws = [flow.draw(checked, slab_ocean.noise(digest, member, SITE)) for member in range(slab_ocean.MEMBERS)]
            slab_ocean.write_checks(folder, name, checked, draws, flow.output_scale)


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--twin"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    main(pathlib.Path(arguments[0]), "--twin" in sys.argv)
