#!/usr/bin/env python3
"""Trains a TorchScript module on a data set, as a preconditioner for -pc_type neural; an example to start from.

usage: dataset -problem obstacles -grid 64,64 -count 32 -solutions 12 -o training.h5
       python3 apps/train_torchscript.py training.h5 user.pt [--group 64x64] [--steps 600]

Needs torch and h5py (Debian: python3-torch, python3-h5py). Stencils is the network: put yours in its place, under the
contract of nets/torchscript/README.md. 2D, no periodic sides.
"""
import argparse
from typing import List

import h5py
import torch
import torch.nn.functional as F

from read_dataset import check


class Stencils(torch.nn.Module):
    """Linear in the residual: on each level a network makes two 3x3 stencils for every cell from the geometry; they turn
    residuals into corrections and smooth those of coarser levels."""

    def __init__(self, width: int = 12, levels: int = 4):
        super().__init__()
        self.levels = levels
        self.krylearn_contract = 1
        self.krylearn_dim = 2
        self.krylearn_alignment = 2 ** (levels - 1)  # a cell of the last level
        self.krylearn_receptive_field = 6 * self.krylearn_alignment
        self.krylearn_linear = True
        self.krylearn_about = "stencils made by a network, apps/train_torchscript.py"
        self.network = torch.nn.Sequential(
            torch.nn.Conv2d(4, width, 3, padding=1), torch.nn.ELU(), torch.nn.Conv2d(width, width, 3, padding=1),
            torch.nn.ELU(), torch.nn.Conv2d(width, 18, 1))

    @torch.jit.export
    def prepare(self, geometry: torch.Tensor) -> List[torch.Tensor]:
        """The stencils of each level, once a set-up."""
        stencils: List[torch.Tensor] = []
        for _ in range(self.levels):
            stencils.append(self.network(geometry))
            geometry = F.avg_pool2d(geometry, 2)
        return stencils

    def apply_stencil(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        y, padded = torch.zeros_like(x), F.pad(x, [1, 1, 1, 1])
        for k in range(9):
            y = y + weights[:, k:k + 1] * padded[:, :, k // 3:k // 3 + x.size(2), k % 3:k % 3 + x.size(3)]
        return y

    def forward(self, residual: torch.Tensor, stencils: List[torch.Tensor]) -> torch.Tensor:
        residuals = [residual]
        for _ in range(self.levels - 1):
            residuals.append(4 * F.avg_pool2d(residuals[-1], 2))
        x = torch.zeros_like(residuals[-1])
        for level in range(self.levels - 1, -1, -1):
            if level < self.levels - 1:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            r, w = residuals[level], stencils[level]
            x = x + r + self.apply_stencil(w[:, :9], r) + self.apply_stencil(w[:, 9:], x)
        return x


def read(path, name, margin):
    """Of all samples: the geometry of the contract [sample, 4, y, x], cells with an unknown [sample, 1, y, x], errors of
    first guesses [sample, right side, 1, y, x] in scaled unknowns; around the grid a margin of zeros, as in use."""
    problem = check(path)
    if problem:
        raise SystemExit(f"train_torchscript.py: error: Cannot read '{path}': {problem}")
    with h5py.File(path, "r") as data:
        group = data[name or next(iter(data))]
        if "solutions" not in group or group["faces"].ndim != 4 or (group["boundaries"][...] == 2).any():
            raise SystemExit(f"train_torchscript.py: error: '{path}': give 2D grids, -solutions, no periodic sides")
        faces, sums, solutions = (torch.from_numpy(group[key][...]).float() for key in ("faces", "sums", "solutions"))
    diagonal = sums + sum(faces[:, a] + torch.roll(faces[:, a], -1, -1 - a) for a in range(2))
    scale = torch.where(diagonal > 0, diagonal.rsqrt(), torch.zeros(()))
    couplings = [4 * faces[:, a] * scale * torch.roll(scale, 1, -1 - a) for a in range(2)]
    geometry = torch.stack(couplings + [sums * scale ** 2, (scale == 0).float()], 1)
    errors = F.normalize((solutions * (scale * diagonal)[:, None]).flatten(2), dim=2).view_as(solutions)
    return [F.pad(x, [margin] * 4) for x in (geometry, (scale > 0).float()[:, None], errors[:, :, None])]


def operator(geometry, x):
    """D^(-1/2) A D^(-1/2) x, whose diagonal is 1."""
    y = x
    for a in range(2):
        c = geometry[:, a:a + 1] / 4
        y = y - c * torch.roll(x, 1, -1 - a) - torch.roll(c * x, -1, -1 - a)
    return y


def train(model, geometry, fluid, first, steps, batch=8):
    """On a pool of live solves with conjugate directions: their errors are known, and a step lowers their A-norm."""
    errors, directions, age = first.clone(), torch.zeros((2,) + first.shape), torch.zeros(first.shape[:2])
    adam = torch.optim.Adam(model.parameters(), 4e-3, betas=(0.9, 0.99))
    rates = torch.optim.lr_scheduler.OneCycleLR(adam, 4e-3, total_steps=steps + 1, pct_start=0.1)
    dot = lambda x, y: (x * y).sum((1, 2, 3), keepdim=True)
    for step in range(1, steps + 1):
        s, k = (torch.randint(n, (batch,)) for n in first.shape[:2])
        g, e, r = geometry[s], errors[s, k], operator(geometry[s], errors[s, k])
        q = model(r, model.prepare(g)) * fluid[s]
        for d in directions[:, s, k]:
            q = q - dot(q, operator(g, d)) / dot(d, operator(g, d)).clamp(min=1e-30) * d
        curvature = dot(q, operator(g, q))
        loss = (1 - dot(q, r) ** 2 / (curvature * dot(e, r))).mean()  # share of the error that this step leaves
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        rates.step()
        with torch.no_grad():
            old = (age[s, k] > torch.randint(2, 20, (batch,))).view(-1, 1, 1, 1)  # start again
            errors[s, k] = torch.where(old, first[s, k], e - dot(q, r) / curvature * q)
            directions[1, s, k] = torch.where(old, torch.zeros(()), directions[0, s, k])
            directions[0, s, k] = torch.where(old, torch.zeros(()), q / curvature.sqrt())
            age[s, k] = torch.where(old.flatten(), torch.zeros(()), age[s, k] + 1)
        if step % 100 == 0:
            print(f"step {step}, loss {loss.item():.3f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model")
    parser.add_argument("--group")
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = Stencils()
    train(network, *read(options.data, options.group, network.krylearn_alignment), options.steps)
    torch.jit.script(network).save(options.model)
    print(f"poisson -problem obstacles -grid 64,64 -ksp_type dcdm -pc_type neural -pc_neural_model {options.model}")
