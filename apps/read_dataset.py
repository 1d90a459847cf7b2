#!/usr/bin/env python3
"""Opens a data set that dataset wrote and describes one of its samples; an example to start from.

usage: python3 apps/read_dataset.py FILE [--group 64x64] [--sample 0]

Needs h5py (Debian: python3-h5py). The operator is applied with numpy, or with torch where it can be imported, to show
how its arrays fit together: where the sample has a solution, A x - b is printed.
"""
import argparse
import struct
import sys
import zlib

import h5py

try:
    import torch as xp
except ImportError:
    import numpy as xp

HEAD, BLOCK = 512, 1 << 20


def check(path):
    """The seal in front of the HDF5 part: complete, undamaged, of this version? Returns what is wrong, or None."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
        if len(head) < HEAD or head[:8] != b"KRYLDATA":
            return "it is no finished data set of Krylearn"
        version, head_sum, length, blocks_sum = struct.unpack("<IIQI", head[8:28])
        if version != 1:
            return f"it has format version {version}, expected 1"
        sums = b""
        for block in iter(lambda: file.read(BLOCK), b""):
            sums += struct.pack("<I", zlib.crc32(block))
        if head_sum != zlib.crc32(head[16:]) or file.tell() != length or blocks_sum != zlib.crc32(sums):
            return "it is cut off or damaged"
    return None


def array(values):
    """In double precision, for numpy or torch."""
    values = values[...].astype("f8")
    return xp.from_numpy(values) if xp.__name__ == "torch" else values


def apply(faces, sums, x):
    """(A x)_i = s_i x_i + sum of c (x_i - x_j) over the neighbours j. faces[a] holds c of the face below each cell on
    axis a (x, y, z); arrays are [z, y, x], so axis a is the last but a. Rolling is periodic; other sides have c = 0."""
    b = sums * x
    for a, c in enumerate(faces):
        flux = c * (x - xp.roll(x, 1, -1 - a))
        b = b + flux - xp.roll(flux, -1, -1 - a)
    return b


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--group")
    parser.add_argument("--sample", type=int, default=0)
    options = parser.parse_args()
    try:
        problem = check(options.file)
    except OSError as error:
        problem = error.strerror
    if problem:
        return f"read_dataset.py: error: Cannot read '{options.file}': {problem}"
    with h5py.File(options.file, "r") as data:
        for name in ("options", "revision", "split"):
            print(f"{name:12} {data.attrs[name].decode()}")
        groups = [f"{name} ({len(group['seed'])} samples)" for name, group in data.items()]
        print(f"{'groups':12} {', '.join(groups)}")
        name = options.group or next(iter(data))
        if name not in data or not 0 <= options.sample < len(data[name]["seed"]):
            return f"read_dataset.py: error: there is no sample {options.sample} in a group {name}"
        group, i = data[name], options.sample
        sides = {-1: "unknown", 0: "Neumann", 1: "Dirichlet", 2: "periodic"}
        faces, sums = array(group["faces"][i]), array(group["sums"][i])
        print(f"{'sample':12} {i} of {name}: {group['family'][i].decode()}, seed {group['seed'][i]}")
        for axis, (lower, upper) in zip("xyz", group["boundaries"][i]):
            print(f"{'side ' + axis:12} {sides[lower]}, {sides[upper]}")
        unknowns = sums > 0
        for a, c in enumerate(faces):
            unknowns = unknowns | (c > 0) | (xp.roll(c, -1, -1 - a) > 0)
        print(f"{'unknowns':12} {int(unknowns.sum())} of {group['sums'][i].size} cells, the others (if any) solid")
        if "solutions" in group:
            x, b = array(group["solutions"][i][0]), array(group["right_sides"][i][0])
            residual = float(((apply(faces, sums, x) - b) ** 2).sum() ** 0.5 / (b ** 2).sum() ** 0.5)
            print(f"{'residual':12} {residual:.1e} of {len(group['solutions'][i])} right-hand sides, the first")
        if "ritz_values" in group:
            print(f"{'ritz values':12} {', '.join(f'{value:.3e}' for value in group['ritz_values'][i][:5])}, ...")
    return 0


if __name__ == "__main__":
    sys.exit(main())
