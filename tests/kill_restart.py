#!/usr/bin/env python3
"""Kills a run that writes checkpoints all the time, and checks that the last complete one always restarts.

usage: kill_restart.py --app build/apps/fluid --folder DIR [--rounds 20] [--seed 1] -- mpirun -n 2

Each round starts fluid with a checkpoint after every step, kills all its processes with SIGKILL at a random moment after
the first checkpoint has appeared, and restarts from the file left behind. A restart that fails, or that starts earlier
than the round before it had got, fails the test.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time

CASE = ["-case", "cavity", "-grid", "96,96", "-steady_tol", "0"]
ALL_THE_TIME = ["-checkpoint_every", "1e-9"]


def kill_all(launcher, app):
    """SIGKILL to the ranks first, so that the launcher cannot tell them to finish."""
    ranks = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(launcher.pid)], capture_output=True, text=True)
    for line in ranks.stdout.splitlines():
        pid, args = line.split(None, 1)
        if os.path.basename(app) in args:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()


def last_step(output):
    for line in output.splitlines():
        if line.startswith("steps:"):
            return int(line.split()[1])
    return -1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--app", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("launch", nargs="+")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    os.makedirs(options.folder)
    checkpoint = os.path.join(options.folder, "out", "checkpoint.h5")
    moments = random.Random(options.seed)
    reached, interrupted = 0, 0
    for number in range(options.rounds):
        restart = ["-restart", checkpoint] if number else []
        folder = os.path.join(options.folder, "out")
        command = options.launch + [options.app] + CASE + ALL_THE_TIME + ["-output", folder] + restart
        before = os.stat(checkpoint).st_mtime_ns if number else 0
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        deadline = time.monotonic() + 60
        while not os.path.exists(checkpoint) or os.stat(checkpoint).st_mtime_ns == before:
            if run.poll() is not None or time.monotonic() > deadline:
                print(f"round {number}: no checkpoint appeared\n{run.stdout.read() if run.poll() is not None else ''}")
                return 1
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.15))
        kill_all(run, options.app)
        interrupted += os.path.exists(checkpoint + ".part")
        proof = subprocess.run(
            options.launch + [options.app] + CASE + ["-restart", checkpoint, "-max_steps", "0"],
            capture_output=True, text=True, timeout=120)
        step = last_step(proof.stdout)
        if proof.returncode != 0 or step < max(1, reached):
            print(f"round {number}: restart gave step {step} after {reached}, status {proof.returncode}\n"
                  f"{proof.stdout}{proof.stderr}")
            return 1
        reached = step
    print(f"{options.rounds} kills, {interrupted} of them in the middle of writing; the last restart began at step {reached}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
