#!/usr/bin/env python3
"""Draws one picture of a run of `fluid`: the flow at the last snapshot and the history of forces or energy.

    python3 apps/plot.py FOLDER [-o FILE.png] [--snapshot N] [--field NAME] [--up x|y|z] [--title TEXT]

FOLDER holds NAME.xdmf, NAME_000000.h5, ... and history.csv. 2D: vorticity, or the field asked for, with obstacles in
grey. 3D: smoke as seen from the side, and smoke and speed in the middle plane. Needs matplotlib and h5py (Debian packages
python3-matplotlib and python3-h5py); says so and ends well where they are missing.
"""
import argparse
import csv
import glob
import os
import sys
import xml.etree.ElementTree as ElementTree

try:
    import h5py
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
except ImportError as missing:
    print(f"plot.py: no picture drawn: {missing} (Debian packages python3-matplotlib and python3-h5py)")
    sys.exit(0)

AXES = "xyz"
SOLID = "#6b7079"
NAMES = {"cd": "$C_D$", "cl": "$C_L$", "kinetic_energy": "kinetic energy"}


class Snapshot:
    """The arrays of one time, [nz][ny][nx] always (2D: nz = 1), and the face coordinates of each axis."""

    def __init__(self, path):
        self.path = path
        self.fields = {}
        with h5py.File(path, "r") as file:
            arrays = {}
            file.visititems(lambda name, item: arrays.update({name.split("/")[-1]: item[()]})
                            if isinstance(item, h5py.Dataset) else None)
        faces = [arrays.pop(axis, None) for axis in AXES]
        for name, array in arrays.items():
            vector = array.ndim >= 3 and array.shape[-1] == 3 and (array.ndim == 4 or name == "velocity")
            if array.ndim < 2:
                continue
            if array.ndim - vector == 2:
                array = array[np.newaxis]
            self.fields[name] = array.astype(float)
        if not self.fields:
            raise SystemExit(f"plot.py: {path} holds no fields")
        shape = next(iter(self.fields.values())).shape[:3]
        self.cells = shape[::-1]
        self.faces = [np.asarray(f, float) if f is not None and len(f) == n + 1 else np.linspace(0, n, n + 1)
                      for f, n in zip(faces, self.cells)]
        self.centres = [(f[1:] + f[:-1]) / 2 for f in self.faces]

    @property
    def dim(self):
        return 2 if self.cells[2] == 1 else 3

    def solid(self):
        """How much of each cell is obstacle, 0 to 1."""
        return 1 - np.clip(self.fields.get("volume_fraction", np.ones(self.cells[::-1])), 0, 1)

    def gradient(self, array, axis):
        """Central differences along x, y or z; zero where there is one cell only."""
        if self.cells[axis] < 2:
            return np.zeros_like(array)
        return np.gradient(array, self.centres[axis], axis=2 - axis)

    def get(self, name):
        """A stored field, or speed and vorticity from the velocity (2D: its one component; 3D: its magnitude)."""
        stored = self.fields.get(name)
        if stored is not None and stored.ndim == 3:
            return stored
        if stored is not None:
            return stored[..., 2] if self.dim == 2 and name == "vorticity" else np.linalg.norm(stored, axis=-1)
        velocity = self.fields.get("velocity")
        if velocity is None:
            return None
        if name == "speed":
            return np.linalg.norm(velocity, axis=-1)
        if name == "vorticity":
            curl = [self.gradient(velocity[..., b], a) - self.gradient(velocity[..., a], b)
                    for a, b in ((1, 2), (2, 0), (0, 1))]
            return curl[2] if self.dim == 2 else np.sqrt(sum(c * c for c in curl))
        return None


def snapshots(folder):
    """Paths and times of all snapshots, in order; times from the .xdmf (NaN without)."""
    for path in sorted(glob.glob(os.path.join(folder, "*.xdmf"))):
        found = []
        for grid in ElementTree.parse(path).iter("Grid"):
            time, item = grid.find("Time"), next((i for i in grid.iter("DataItem") if ".h5" in (i.text or "")), None)
            if time is not None and item is not None:
                found.append((os.path.join(folder, item.text.strip().split(":")[0]), float(time.get("Value"))))
        found = [(file, time) for file, time in found if os.path.exists(file)]
        if found:
            return found
    return [(path, float("nan")) for path in sorted(glob.glob(os.path.join(folder, "*_[0-9]*.h5")))]


def history(folder):
    """Columns of history.csv by lower-case name; empty without one."""
    path = os.path.join(folder, "history.csv")
    if not os.path.exists(path):
        return {}
    with open(path, newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.reader((line for line in lines if not line.startswith("#")), skipinitialspace=True)]
    columns = {}
    for number, name in enumerate(rows[0] if rows else []):
        try:
            columns[name.strip().lower()] = np.array([float(row[number]) for row in rows[1:]])
        except (ValueError, IndexError):
            continue
    return columns


def draw_history(axes, columns, groups):
    """The first group of columns that the history has, over time."""
    time = columns.get("time")
    group = next((g for g in groups if all(n in columns for n in g)), ())
    if time is None or len(time) < 3 or not group:
        axes.set_visible(False)
        return
    for name, colour in zip(group, ("#1f4e79", "#c0392b")):
        axes.plot(time, columns[name], color=colour, lw=1.3, label=NAMES.get(name, name))
    # A start from rest gives forces that would flatten all the rest.
    late = np.concatenate([columns[n][len(time) // 10 if "cd" in group else 0:] for n in group])
    low, high = np.nanmin(late), np.nanmax(late)
    margin = 0.08 * (high - low) + 1e-12 + 1e-3 * max(abs(low), abs(high))
    axes.set(xlim=(time[0], time[-1]), ylim=(low - margin, high + margin), xlabel="time")
    axes.legend(frameon=False, ncol=2, loc="best", fontsize=9)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw_plane(figure, axes, snapshot, name, values, solid, a, b, colours="viridis"):
    """A field on the plane of axes a and b, values [b][a]; diverging colours where it has both signs."""
    # Colours are interpolated between centres; the outermost are drawn out to the sides.
    x, y = [np.r_[snapshot.faces[c][0], snapshot.centres[c][1:-1], snapshot.faces[c][-1]] for c in (a, b)]
    shown = values[solid < 0.5]
    signed = shown.size and shown.min() < 0 < shown.max()
    top = np.percentile(np.abs(shown), 99 if name == "vorticity" else 99.8) if shown.size else 1
    limits = {"vmin": -top if signed else (shown.min() if shown.size else 0), "vmax": top or 1}
    filled = values.copy()
    filled[solid > 0.5] = 0 if signed else limits["vmin"]
    # Thin smoke is what one looks for, so the low end of its scale is stretched.
    norm = matplotlib.colors.PowerNorm(0.5 if colours == "magma" else 1, **limits)
    image = axes.pcolormesh(x, y, filled, shading="gouraud", cmap="RdBu_r" if signed else colours, rasterized=True,
                            norm=matplotlib.colors.Normalize(**limits) if signed else norm)
    if solid.any():
        axes.contourf(x, y, solid, levels=[0.5, 1.5], colors=[SOLID])
    axes.set(aspect="equal", xlim=snapshot.faces[a][[0, -1]], ylim=snapshot.faces[b][[0, -1]], xlabel=AXES[a],
             ylabel=AXES[b])
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, aspect=22)
    bar.set_label(name)
    bar.outline.set_visible(False)


def draw_view(axes, snapshot, smoke, solid, sight, up):
    """Smoke as light scattered along parallel lines of sight, in front of the shaded obstacle."""
    across = next(axis for axis in range(3) if axis not in (sight, up))
    order = (2 - sight, 2 - up, 2 - across)
    smoke, solid = np.transpose(smoke, order), np.transpose(solid, order)
    depth = np.diff(snapshot.faces[sight])
    width = np.ptp(snapshot.faces[across])
    scale = np.percentile(smoke[smoke > 0.01 * smoke.max()], 95) if smoke.max() > 0 else 1
    inside = solid > 0.5
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), solid.shape[0])
    before = np.arange(solid.shape[0])[:, None, None] < first
    thickness = np.einsum("k,kij->ij", depth, np.where(before, smoke, 0)) / (scale * width)
    light = 1 - np.exp(-6 * thickness)
    # Lambert shading of the obstacle's visible surface, lit from the upper left in front; it ends softly, as it is cut.
    soft = solid
    for axis in (0, 1, 2) * 2:
        soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / 4
    normal = [-np.take_along_axis(np.gradient(soft, snapshot.centres[c], axis=i),
                                  np.minimum(first, solid.shape[0] - 1)[None], axis=0)[0]
              for i, c in enumerate((sight, up, across))]
    length = np.sqrt(sum(n * n for n in normal)) + 1e-12
    lit = np.clip((-0.55 * normal[0] + 0.65 * normal[1] - 0.5 * normal[2]) / length, 0, 1)
    cover = np.clip(solid.max(axis=0) * 1.5 - 0.25, 0, 1)[..., None]
    background = np.array([0.05, 0.07, 0.11])
    base = background + (np.array([0.9, 0.55, 0.3]) * (0.2 + 0.8 * lit[..., None]) - background) * cover
    image = base + (np.array([0.96, 0.97, 1.0]) - base) * light[..., None]
    extent = [*snapshot.faces[across][[0, -1]], *snapshot.faces[up][[0, -1]]]
    axes.imshow(np.clip(image, 0, 1), origin="lower", extent=extent, interpolation="bicubic", aspect="equal")
    axes.set(xlabel=AXES[across], ylabel=AXES[up], title=f"seen along {AXES[sight]}")


def draw_2d(snapshot, name, columns):
    width, height = np.ptp(snapshot.faces[0]), np.ptp(snapshot.faces[1])
    panel = min(max(9.0 * height / width, 1.6), 8.0)
    with_history = bool(columns)
    figure, axes = plt.subplots(2 if with_history else 1, 1, figsize=(10, panel + 0.9 + 2.4 * with_history),
                                height_ratios=[panel, 2.0][:1 + with_history], squeeze=False, layout="constrained")
    values = snapshot.get(name)
    draw_plane(figure, axes[0, 0], snapshot, name, values[0], snapshot.solid()[0], 0, 1)
    if with_history:
        draw_history(axes[1, 0], columns, (("cd", "cl"), ("kinetic_energy",)))
    return figure


def draw_3d(snapshot, name, columns, up):
    extents = [np.ptp(f) for f in snapshot.faces]
    up = AXES.index(up) if up else (int(np.argmax(extents)) if max(extents) > 1.05 * sorted(extents)[1] else 1)
    sight = 1 if up == 2 else 2
    across = 3 - sight - up
    shown = [n for n in (name, "smoke", "temperature", "vorticity", "pressure") if snapshot.get(n) is not None][0]
    tall = 2.75 * extents[up] / extents[across]
    wide = 12 * min(1, 6.5 / tall)
    tall = min(tall, 6.5)
    figure = plt.figure(figsize=(max(wide, 7), tall + 1.0 + 2.2 * bool(columns)), layout="constrained")
    grid = figure.add_gridspec(2 if columns else 1, 3, height_ratios=[tall, 1.9][:1 + bool(columns)])
    axes = [figure.add_subplot(grid[0, i]) for i in range(3)]
    solid = snapshot.solid()
    draw_view(axes[0], snapshot, np.maximum(snapshot.get(shown), 0), solid, sight, up)
    for panel, field, colours in zip(axes[1:], (shown, "speed"), ("magma", "viridis")):
        values = snapshot.get(field)
        if values is None:
            continue
        middle, hidden = [np.take(array, array.shape[2 - sight] // 2, axis=2 - sight) for array in (values, solid)]
        if across > up:
            middle, hidden = middle.T, hidden.T
        draw_plane(figure, panel, snapshot, field, middle, hidden, across, up, colours)
        panel.set_title(f"middle plane across {AXES[sight]}")
    if columns:
        draw_history(figure.add_subplot(grid[1, :]), columns, (("kinetic_energy",), ("cd", "cl")))
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("-o", "--output", help="picture to write (default FOLDER/picture.png)")
    parser.add_argument("--snapshot", type=int, default=-1, help="which one, from 0; negative counts from the end")
    parser.add_argument("--field", default="vorticity", help="what to draw in 2D (default vorticity)")
    parser.add_argument("--up", choices=AXES, help="upward axis of 3D views (default: the longest, else y)")
    parser.add_argument("--title", help="heading (default: the name of the run and the time)")
    options = parser.parse_args()
    found = snapshots(options.folder)
    if not found:
        raise SystemExit(f"plot.py: no snapshots in {options.folder}")
    try:
        path, time = found[options.snapshot]
    except IndexError:
        raise SystemExit(f"plot.py: there are {len(found)} snapshots only") from None
    snapshot = Snapshot(path)
    columns = history(options.folder)
    if snapshot.dim == 2:
        if snapshot.get(options.field) is None:
            raise SystemExit(f"plot.py: no field '{options.field}' in {path}; it has {', '.join(snapshot.fields)}")
        figure = draw_2d(snapshot, options.field, columns)
    else:
        figure = draw_3d(snapshot, "smoke" if options.field == "vorticity" else options.field, columns, options.up)
    name = os.path.basename(path).rsplit("_", 1)[0]
    figure.suptitle(options.title or f"{name}" + (f", t = {time:.4g}" if time == time else ""), fontsize=12)
    output = options.output or os.path.join(options.folder, "picture.png")
    figure.savefig(output + ".part", dpi=140, format="png")
    os.replace(output + ".part", output)
    print(f"picture           {output}")


if __name__ == "__main__":
    main()
