#!/usr/bin/env python3
"""What a tuner makes of a run of fluid, beside each of its configurations by itself.

  python3 apps/tuner_table.py --configs data/tuner/pressure.cfg --runs 3 -- -case cylinder -max_steps 400
  python3 apps/tuner_table.py --ranks 2 --configs data/tuner/pressure.cfg -- -case smoke_obstacle -grid 48,48,48

Runs take turns, so that a busy machine slows all alike. Prints seconds of all pressure solves, set-ups included: median
and range over the runs, and as parts of the best configuration's and the median configuration's median. Options of the
tuner itself (-pressure_ksp_tuner_policy, ...) may stand among those of fluid.
"""
import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def seconds(command):
    """Seconds of all solves, from the tuner's report."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = re.search(r"Tuner of -pressure_: (\d+) solves, (\S+) s in all", done.stdout)
    if done.returncode or not found:
        sys.exit(f"{' '.join(command)}\nfailed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return int(found[1]), float(found[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", required=True, help="file of configurations, as for -pressure_ksp_tuner_configs")
    parser.add_argument("--runs", type=int, default=3, help="rounds")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("options", nargs="+", help="of fluid, after --")
    wanted = parser.parse_args()
    names = re.findall(r"^([A-Za-z0-9][\w.-]*):", (ROOT / wanted.configs).read_text(), re.M)
    common = ["mpirun", "-n", str(wanted.ranks), "build/apps/fluid", *wanted.options]
    common += ["-pressure_ksp_type", "tuner", "-pressure_ksp_tuner_configs", wanted.configs]
    times = {name: [] for name in [*names, "tuner"]}
    for run in range(wanted.runs):
        for name in times:
            own = ["-pressure_ksp_tuner_seed", str(run + 1)]
            if name != "tuner":
                own = ["-pressure_ksp_tuner_policy", "fixed", "-pressure_ksp_tuner_safe", name]
            solves, time = seconds(common + own)
            times[name].append(time)
            print(f"run {run + 1}: {name}: {solves} solves, {time:.4g} s", file=sys.stderr, flush=True)
    medians = {name: statistics.median(t) for name, t in times.items()}
    singles = [medians[name] for name in names]
    best, middle = min(singles), statistics.median(singles)
    print(f"{'configuration':<18} {'seconds':>8}  {'range':<16} of the best  of the median")
    for name in sorted(names, key=medians.get) + ["tuner"]:
        spread = f"{min(times[name]):.3g}-{max(times[name]):.3g}"
        print(f"{name:<18} {medians[name]:8.3g}  {spread:<16} {medians[name] / best:11.2f}  {medians[name] / middle:13.2f}")


if __name__ == "__main__":
    main()
