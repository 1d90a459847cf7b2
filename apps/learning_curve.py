#!/usr/bin/env python3
"""Draws learning curves from what `train -log` wrote: loss and iterations on held-out geometries.

    python3 apps/learning_curve.py LOG.csv [LOG.csv ...] [-o FILE.png] [--time] [--title TEXT]

Several logs are drawn over each other, named by their files. Without -o the picture is beside the first log. --time has
seconds of training along the axis instead of steps. Needs matplotlib (Debian package python3-matplotlib).
"""
import argparse
import csv
import os
import sys

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ImportError as missing:
    raise SystemExit(f"learning_curve.py: {missing} for {sys.executable} (Debian: package python3-matplotlib, for "
                     "/usr/bin/python3)") from None

COLUMNS = ("step", "seconds", "loss", "iterations", "median")
COLOURS = ("#1f4e79", "#c0392b", "#2e7d32", "#b8860b", "#6a3d9a", "#555555")


def read(path):
    """The columns of a log; numbers are NaN where a row has none."""
    try:
        with open(path, newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except OSError as error:
        raise SystemExit(f"learning_curve.py: {path} cannot be read: {error.strerror}") from None
    if not rows or any(name not in rows[0] for name in COLUMNS):
        raise SystemExit(f"learning_curve.py: {path} is no log of train with rows: expected columns {', '.join(COLUMNS)}")
    try:
        return {name: [float(row[name] or "nan") for row in rows] for name in COLUMNS}
    except (TypeError, ValueError):
        raise SystemExit(f"learning_curve.py: {path} has a row that is cut off or damaged") from None


def smoothed(values, part=0.02):
    """A running mean over some per cent of all steps: single batches differ too much to compare."""
    weight, mean, result = min(1.0, 1 / max(1.0, part * len(values))), None, []
    for value in values:
        if value == value:
            mean = value if mean is None else (1 - weight) * mean + weight * value
        result.append(float("nan") if mean is None else mean)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", metavar="LOG.csv")
    parser.add_argument("-o", "--output", help="picture to write (default: the first log's name with .png)")
    parser.add_argument("--time", action="store_true", help="seconds along the axis instead of steps")
    parser.add_argument("--title", help="heading")
    options = parser.parse_args()
    figure, (losses, counts) = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
    for number, path in enumerate(options.logs):
        log, colour = read(path), COLOURS[number % len(COLOURS)]
        along = log["seconds" if options.time else "step"]
        name = os.path.splitext(os.path.basename(path))[0]
        losses.semilogy(along, log["loss"], color=colour, alpha=0.2, lw=0.6)
        losses.semilogy(along, smoothed(log["loss"]), color=colour, lw=1.5, label=name)
        for column, style in (("iterations", "o-"), ("median", "s:")):
            validated = [(x, its) for x, its in zip(along, log[column]) if its == its]
            counts.plot(*zip(*validated) if validated else ((), ()), style, color=colour, ms=3, lw=1.3)
    losses.set_ylabel("loss")
    counts.set(ylabel="iterations, held out\n(mean —, median ···)", xlabel="seconds" if options.time else "step")
    for axes in (losses, counts):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if len(options.logs) > 1:
        losses.legend(frameon=False)
    if options.title:
        figure.suptitle(options.title)
    output = options.output or os.path.splitext(options.logs[0])[0] + ".png"
    figure.savefig(output + ".part", dpi=140, format="png")
    os.replace(output + ".part", output)
    print(f"picture           {output}")


if __name__ == "__main__":
    main()
