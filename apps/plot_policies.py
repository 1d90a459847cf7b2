#!/usr/bin/env python3
"""A picture of what policies did over a sequence of systems: python3 apps/plot_policies.py OUT [-o PNG]

Reads what `poisson -problem heat|sor -policies ... -output OUT` wrote. Above: iterations summed over the steps, as parts
of those of the first policy; below: the relaxation factors, where a policy chooses any, and the context.
"""
import argparse
import csv
import itertools
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path, help="policies.csv, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, help="picture (default: beside the CSV file)")
    wanted = parser.parse_args()
    if wanted.csv.is_dir():
        wanted.csv = wanted.csv / "policies.csv"
    try:
        with open(wanted.csv, newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{wanted.csv} cannot be read: {error}")
    if header[:2] != ["step", "context"] or not rows:
        sys.exit(f"{wanted.csv} holds no courses of policies; poisson -problem heat -policies ... -output OUT writes some")
    rows = [[float(x) for x in row] for row in rows]
    columns = dict(zip(header, zip(*rows)))
    names = [name.split(" ", 1)[1] for name in header if name.startswith("iterations ")]
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(9, 7), height_ratios=(2, 3))
    reference = list(itertools.accumulate(columns[f"iterations {names[0]}"]))
    for name in names:
        totals = list(itertools.accumulate(columns[f"iterations {name}"]))
        parts = [t / r if r else 1 for t, r in zip(totals, reference)]
        (line,) = above.plot(columns["step"], parts, label=f"{name}: {totals[-1]:,.0f}")
        omega = columns[f"omega {name}"]
        if min(omega) != max(omega):
            below.plot(columns["step"], omega, ".", markersize=2, color=line.get_color(), label=name)
    above.set_ylabel(f"iterations so far / {names[0]}'s")
    above.legend(fontsize="small", title="policy: total", ncols=2)
    below.set_xlabel("step")
    below.set_ylabel("relaxation factor")
    context = below.twinx()
    context.plot(columns["step"], columns["context"], color="0.8", zorder=0, linewidth=0.8)
    context.set_ylabel("context", color="0.5")
    below.set_zorder(context.get_zorder() + 1)
    below.patch.set_visible(False)
    if below.get_legend_handles_labels()[0]:
        below.legend(fontsize="small", markerscale=5)
    output = wanted.output or wanted.csv.with_suffix(".png")
    figure.tight_layout()
    figure.savefig(output, dpi=120)
    print(output)


if __name__ == "__main__":
    main()
