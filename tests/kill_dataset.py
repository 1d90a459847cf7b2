#!/usr/bin/env python3
"""Kills a run of dataset again and again, and checks that what it ends with is what an undisturbed run makes.

usage: kill_dataset.py --app build/apps/dataset --folder DIR [--rounds 8] [--seed 1] -- mpirun -n 2

Each round starts dataset with the same options and kills all its processes with SIGKILL at a random moment. The last
run is left alone: its file has to be equal, byte for byte, to that of one rank which nobody disturbed.
"""
import argparse
import filecmp
import os
import random
import re
import shutil
import subprocess
import time

from kill_restart import kill_all

OPTIONS = ["-problem", "obstacles,darcy", "-grid", "48,48:12,12,12", "-count", "150", "-solutions", "2"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--app", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("launch", nargs="+")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    os.makedirs(options.folder)
    broken, whole = (os.path.join(options.folder, name) for name in ("broken.h5", "whole.h5"))
    moments = random.Random(options.seed)
    kills = 0
    report = os.path.join(options.folder, "report.txt")

    def found():
        """Samples that runs have found so far, those that found any."""
        with open(report, encoding="utf-8") as text:
            return [int(number) for number in re.findall(r"going on: (\d+) samples", text.read())]

    with open(report, "w", encoding="utf-8") as text:
        # On a slow machine runs take longer to get anywhere.
        for number in range(4 * options.rounds):
            if number >= options.rounds and found():
                break
            run = subprocess.Popen(options.launch + [options.app] + OPTIONS + ["-o", broken], stdout=text,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
            time.sleep(moments.uniform(0.2, 1.2) * (1 + number // options.rounds))
            if run.poll() is None:
                kills += 1
            kill_all(run, options.app)

    def left_alone(launch, path):
        run = subprocess.run(launch + [options.app] + OPTIONS + ["-o", path], capture_output=True, text=True, timeout=300)
        if run.returncode != 0:
            raise SystemExit(f"status {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout

    left_alone(options.launch, broken)
    left_alone([], whole)
    if not kills or not found():
        raise SystemExit(f"{kills} kills, and no run had anything to go on with")
    # Killed when all that was missing was the name.
    os.rename(broken, broken + ".part")
    named = left_alone(options.launch, broken)
    samples = re.search(r"going on: (\d+) samples of (\d+)", named)
    if not samples or samples[1] != samples[2]:
        raise SystemExit(f"a finished file without its name was made anew:\n{named}")
    if not filecmp.cmp(broken, whole, shallow=False):
        raise SystemExit(f"after {kills} kills the data set differs from an undisturbed one")
    if os.path.exists(broken + ".part"):
        raise SystemExit("the temporary file is still there")
    # Its seal is checked before: damage must not become valid.
    with open(broken, "r+b") as file:
        file.seek(os.path.getsize(broken) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.rename(broken, broken + ".part")
    run = subprocess.run([options.app] + OPTIONS + ["-o", broken], capture_output=True, text=True, timeout=300)
    if run.returncode == 0 or "damaged" not in run.stderr or os.path.exists(broken):
        raise SystemExit(f"a damaged file got its name:\n{run.stdout}{run.stderr}")
    print(f"{kills} kills; runs that went on found {found()} samples; equal to an undisturbed run")


if __name__ == "__main__":
    main()
