#!/usr/bin/env python3
"""Trains one network with every recipe – data x loss – and counts iterations on geometries that none has seen.

    python3 apps/recipe_table.py [--arch npsd] [--steps 300] [--ranks 1] [--folder out/recipe]

Makes a data set with eigenvectors (`dataset -ritz 100`, for -sampling ritz), trains each cell of the table with the same
steps, seed and geometries, and solves 8 held-out systems to 1e-6 with `compare`, with deep conjugate directions. Prints
the table and leaves it in FOLDER/recipes.csv, with the logs of the trainings and the report of compare beside it. A cell
that is there already is not trained again, so an interrupted run goes on; remove FOLDER to start anew. An architecture
that contains the operator, such as vcycle, hides the difference between recipes. Needs Python 3 alone.
"""
import argparse
import csv
import os
import re
import statistics
import subprocess
import sys

SAMPLINGS, LOSSES = ("krylov", "ritz", "white"), ("anorm", "paper", "residual")
SEEDS = range(1, 9)


def run(words, log):
    """Runs a program with its output in a file; ends the script where it fails."""
    with open(log, "w", encoding="utf-8") as out:
        status = subprocess.run(words, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    if status != 0:
        print(open(log, encoding="utf-8").read(), file=sys.stderr)
        raise SystemExit(f"recipe_table.py: {os.path.basename(words[0])} failed with status {status}; see {log}")


def train(options, launch, sampling, loss):
    """The model of a cell."""
    model = os.path.join(options.folder, f"{sampling}_{loss}.pt")
    if not os.path.exists(model):
        # The last parameters are wanted: the best would be the first wherever a recipe does harm.
        run(launch("train") + ["-arch", options.arch, "-data", os.path.join(options.folder, "ritz.h5"),
                               "-sampling", sampling, "-loss", loss, "-steps", str(options.steps), "-pool_geometries", "32",
                               "-validate_every", str(options.steps), "-validation_geometries", "1", "-keep", "last",
                               "-log", model[:-3] + ".csv", "-o", model], model[:-3] + ".txt")
    return model


def seconds(model):
    """Of a training, without making the pool."""
    with open(model[:-3] + ".csv", newline="", encoding="utf-8") as lines:
        rows = [float(row["seconds"]) for row in csv.DictReader(lines)]
    return rows[-1] - rows[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="npsd")
    parser.add_argument("--steps", type=int, default=300, help="of each training (default 300)")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--cells", type=int, default=64, help="of the grid along x and y (default 64)")
    parser.add_argument("--max_it", type=int, default=1000, help="iterations after which a solve is given up (default 1000)")
    parser.add_argument("--folder", default="out/recipe")
    parser.add_argument("--apps", default="build/apps", help="folder of the programs")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    grid = f"{options.cells},{options.cells}"

    def launch(program):
        words = [os.path.join(options.apps, program)]
        return words if options.ranks == 1 else ["mpirun", "-n", str(options.ranks)] + words

    data = os.path.join(options.folder, "ritz.h5")
    run(launch("dataset") + ["-problem", "obstacles", "-grid", grid, "-count", "32", "-ritz", "100", "-o", data],
        data[:-3] + ".txt")
    cells, configurations = [(sampling, loss) for sampling in SAMPLINGS for loss in LOSSES], []
    models = {}
    for number, (sampling, loss) in enumerate(cells, 1):
        print(f"training {number} of {len(cells)}: {sampling} + {loss}", flush=True)
        models[sampling, loss] = train(options, launch, sampling, loss)
        configurations += ["-config", f"{sampling}_{loss}: -ksp_type dcdm -pc_type neural -pc_neural_model "
                                      f"{models[sampling, loss]}"]
    report = os.path.join(options.folder, "report")
    run(launch("compare") + ["-problem", "obstacles", "-grid", grid, "-seeds", ",".join(map(str, SEEDS)), "-rtol", "1e-6",
                             "-solves", "1", "-max_it", str(options.max_it), "-report", report] + configurations,
        report + ".txt")
    visits = {}
    with open(os.path.join(report, "visits.csv"), newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            ended = row["status"] == "ok"
            visits.setdefault(row["configuration"], []).append(float(row["iterations"]) if ended else float("inf"))

    table = []
    for sampling, loss in cells:
        counts = visits[f"{sampling}_{loss}"]
        table.append({"sampling": sampling, "loss": loss, "iterations": statistics.median(counts), "fewest": min(counts),
                      "most": max(counts), "unsolved": sum(c == float("inf") for c in counts), "systems": len(counts),
                      "steps": options.steps, "training_seconds": round(seconds(models[sampling, loss]), 1)})
    output = os.path.join(options.folder, "recipes.csv")
    with open(output + ".part", "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    os.replace(output + ".part", output)

    def show(row):
        text = [re.sub("inf", f">{options.max_it}", f"{row[key]:g}") for key in ("iterations", "fewest", "most")]
        return f"{text[0]} ({text[1]} to {text[2]})"

    print(f"\n{options.arch}, {options.steps} steps; obstacles {grid}, iterations to 1e-6: median of {len(SEEDS)} (range)")
    print("sampling".ljust(10) + "".join(loss.rjust(24) for loss in LOSSES))
    for sampling in SAMPLINGS:
        print(sampling.ljust(10) + "".join(show(row).rjust(24) for row in table if row["sampling"] == sampling))
    print(f"\ntable             {output}")


if __name__ == "__main__":
    main()
