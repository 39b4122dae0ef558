"""The case: fluxes at the surface of an ocean from the state of sea and air, with the variables and laws of the C++ and
C examples. Months of weather are made up; the fluxes follow bulk formulas with noise, and add up exactly.
"""
import csv
import math

import torch

import model_file
import random_numbers

INPUTS = {"SPD": "m s-1", "SST": "degC", "SAT": "K", "AH": "g kg-1", "SAH": "g kg-1", "CLD": "1", "SLP": "hPa",
          "sin_latitude": "1", "cos_latitude": "1", "sin_month": "1", "cos_month": "1"}
OUTPUTS = ("FSR", "FUL", "FDR", "FLH", "FSH", "FDH")  # W m-2
VARIABLES = ([model_file.variable(name, units, "input") for name, units in INPUTS.items()] +
             [model_file.variable(name, "W m-2", "output") for name in OUTPUTS])
LAWS = [
    model_file.law("net_radiation", "FDR = FSR - FUL", "W m-2", {"FDR": 1, "FSR": -1, "FUL": 1}, 0, 0.01),
    model_file.law("net_heat", "FDH = FDR - FLH - FSH", "W m-2", {"FDH": 1, "FDR": -1, "FLH": 1, "FSH": 1}, 0, 0.01),
]
# A y = 0, from the laws.
A = torch.tensor([[law["terms"].get(name, 0) for name in OUTPUTS] for law in LAWS], dtype=torch.float64)
PROVENANCE = {"domain": "ocean_heat_budget", "training": f"made-up weather, PyTorch {torch.__version__}"}

MEMBERS, COLUMNS, SEED = 3, 40, 5  # what the written checks hold


def head(family):
    return {"name": "fluxes", "family": family, "variables": list(OUTPUTS), "strategy": "conditional"}


def weather(count, generator):
    """(count, 11) inputs and (count, 6) outputs, FP64."""
    def uniform(low, high):
        return low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)

    def normal():
        return torch.randn(count, generator=generator, dtype=torch.float64)

    sine = uniform(-0.97, 0.97)
    latitude = torch.asin(sine)
    month = torch.randint(12, (count,), generator=generator)
    angle = 2 * math.pi * month / 12
    winter = 0.5 + 0.5 * torch.cos(angle) * torch.sign(sine)
    sst = (28 * torch.cos(latitude)**2 - 3 * winter + 1.5 + 3 * normal()).clamp(-1.8, 31)
    sat = 0.3 + 0.5 * normal() - winter * torch.log(uniform(1e-3, 1))
    slp = 1012 + 7 * normal()
    cloud = (0.65 + 0.14 * normal()).clamp(0.05, 0.98)
    wind = (5 + 4 * sine**2 + 2 * normal()).clamp(min=1)
    # Bolton (1980), eq. 10, over sea water.
    vapour = 0.98 * 6.112 * torch.exp(17.67 * sst / (sst + 243.5))
    saturated = 622 * vapour / (slp - 0.378 * vapour)
    humidity = saturated * (0.78 + 0.07 * normal()).clamp(0.4, 1.05)

    # The sun over a day, and what clouds leave of it.
    declination = math.radians(-23.45) * torch.cos(2 * math.pi * (month + 0.82) / 12)
    half_day = torch.acos((-torch.tan(latitude) * torch.tan(declination)).clamp(-1, 1))
    above = 1367 / math.pi * (half_day * sine * torch.sin(declination) +
                              torch.cos(latitude) * torch.cos(declination) * torch.sin(half_day))
    noon = 90 - torch.rad2deg((latitude - declination).abs())
    shortwave = 0.6 * above * (1 - 0.62 * cloud + 0.0019 * noon.clamp(min=0)) * (1 + 0.08 * normal())
    # Berliand's formula; bulk formulas of the turbulent fluxes.
    kelvin = sst + 273.15
    pressure = humidity * slp / (622 + 0.378 * humidity)
    longwave = (0.97 * 5.67e-8 * kelvin**3 *
                (kelvin * (0.39 - 0.05 * pressure.sqrt()) * (1 - 0.7 * cloud**2) + 4 * sat)) + 3 * normal()
    latent = 4.25 * wind * (saturated - humidity) + 3 * normal()
    sensible = 1.67 * wind * sat + 2 * normal()
    radiation = shortwave - longwave
    inputs = (wind, sst, sat, humidity, saturated - humidity, cloud, slp, sine, torch.cos(latitude), torch.sin(angle),
              torch.cos(angle))
    outputs = (shortwave, longwave, radiation, latent, sensible, radiation - latent - sensible)
    return torch.stack(inputs, 1), torch.stack(outputs, 1)


def constrain(z, variance):
    """The laws' exact step, twice: y = z - G A z, G = S A' (A S A')^-1, S = diag(variance); rows are samples."""
    s = variance.expand_as(z)
    w = torch.einsum("ij,bj,kj->bik", A, s, A)
    for _ in range(2):
        z = z - s * (torch.linalg.solve(w, (z @ A.T).unsqueeze(2)).squeeze(2) @ A)
    return z


def noise(digest, member, site, count=len(OUTPUTS)):
    """What the plugin draws for the columns of the checks."""
    return random_numbers.normals(SEED, random_numbers.stream_of(digest), COLUMNS, 0, member, site, count)


def write_table(path, names, rows):
    with open(path, "w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(names)
        table.writerows(rows)  # numbers so that they read back to the last bit


def write_checks(folder, name, inputs, draws, scale):
    """NAME_inputs.csv, which `lavoisier generate` reads, and NAME_expected.csv, what its draws should be.

    `draws` holds (columns, outputs) for each member; the first row of the expected table is the outputs' scale.
    """
    write_table(folder / f"{name}_inputs.csv", INPUTS, inputs.tolist())
    rows = [["scale", -1, *scale.tolist()]]
    for member, values in enumerate(draws):
        rows += [[member + 1, column, *row] for column, row in enumerate(values.tolist())]
    write_table(folder / f"{name}_expected.csv", ["member", "sample", *OUTPUTS], rows)


def train(module, loss, what, count, rows, steps, generator):
    """Adam over one cycle; loss(places) of `rows` of the `count` samples a step."""
    optimizer = torch.optim.Adam(module.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        value = loss(torch.randint(count, (rows,), generator=generator))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == steps - 1:
            print(f"step {step:5d}  {what} {value.item():8.4f}")


def write(path, graph, family, x):
    """The model file of this case; returns its digest. x: the inputs of the training."""
    digest = model_file.write(path, variables=VARIABLES, laws=LAWS, graph=graph, heads=[head(family)],
                              minimum=x.amin(0), maximum=x.amax(0), provenance=PROVENANCE)
    print(f"wrote {path}, sha256 {digest}")
    return digest


def check_spread(first, second, truth, scale):
    """Ends with 3 if draws are not spread about each other as the truth is about them, or do not know it at all."""
    error = ((first - truth) / scale).square().mean().sqrt().item()
    spread = ((first - second) / scale).square().mean().sqrt().item()
    print(f"draw - truth {error:.3f}, draw - draw {spread:.3f} of the outputs' deviation (rms)")
    if not (error < 0.5 and 0.9 < error / spread < 1.1):
        raise SystemExit(3)
