#!/usr/bin/env python3
"""Runs one command-line case and checks what it leaves: exit status, figures, messages, files.

    run_case.py FILE --app PROGRAM --ranks N --folder DIR --source DIR --library FILE -- LAUNCHER...

The format of a case is described in tests/README.md. Needs Python 3 only; `h5equal` needs h5py and is skipped without.
"""
import argparse
import csv
import glob
import itertools
import math
import os
import re
import shlex
import shutil
import subprocess
import sys

RUN_KEYS = {"ranks", "exit", "error", "stdout", "stderr", "no_stdout", "no_stderr", "figure", "cell", "csv", "exists", "missing",
            "same", "h5equal", "timeout"}
PREPARE_KEYS = {"file", "truncate", "patch", "copy", "folder", "remove"}


class Failed(Exception):
    pass


def parse(path):
    """A case is a list of steps, in order: ('prepare', key, text) or ('run', arguments, [(key, text), ...])."""
    steps = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, colon, text = line.partition(":")
        key, text = key.strip(), text.strip()
        if colon and key == "args":
            steps.append(("run", text, []))
        elif colon and key in PREPARE_KEYS:
            steps.append(("prepare", key, text))
        elif colon and key in RUN_KEYS and any(step[0] == "run" for step in steps):
            [step for step in steps if step[0] == "run"][-1][2].append((key, text))
        else:
            raise Failed(f"{path}:{number}: cannot understand '{line}'")
    if not any(step[0] == "run" for step in steps):
        raise Failed(f"{path}: no 'args:' line")
    return steps


def words_of(text, options):
    return [word.replace("@SOURCE@", options.source).replace("@LIBRARY@", options.library) for word in shlex.split(text)]


def prepare(key, text, options):
    words = words_of(text, options)
    if key == "file":
        with open(words[0], "w", encoding="utf-8") as out:
            out.write(" ".join(words[1:]) + "\n")
    elif key == "truncate":
        with open(words[0], "r+b") as out:
            out.truncate(int(words[1]))
    elif key == "patch":
        with open(words[0], "r+b") as out:
            out.seek(int(words[1]))
            out.write(bytes.fromhex(words[2]))
    elif key == "copy":
        shutil.copy(words[0], words[1])
    elif key == "folder":
        os.makedirs(words[0])
    elif key == "remove":
        for name in glob.glob(words[0]):
            shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)


def close(value, expected, tolerance):
    """`tolerance` is absolute, or relative with a per cent sign; '<' and '>' before `expected` are bounds."""
    if math.isnan(value):
        return False
    if expected.startswith("<"):
        return value <= float(expected[1:])
    if expected.startswith(">"):
        return value >= float(expected[1:])
    room = float(tolerance[:-1]) / 100 * abs(float(expected)) if tolerance.endswith("%") else float(tolerance or 0)
    return abs(value - float(expected)) <= room


def check_close(what, value, expected, tolerance):
    if not close(value, expected, tolerance):
        raise Failed(f"{what} is {value:.10g}, expected {expected} {tolerance}")


def split_expectation(text):
    """'name words 1.5 2%' -> name, expected, tolerance; quotes around names with blanks are optional."""
    match = re.match(r"^(.*?)\s+([<>]?[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)(?:\s+(\S+))?$", text)
    if not match:
        raise Failed(f"expected 'name value [tolerance]', got '{text}'")
    return match.group(1).strip("'\""), match.group(2), match.group(3) or "0"


def figure(name, output):
    """The last number printed as 'name: value', 'name = value' or 'name   value'."""
    number = r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|nan|-?inf)"
    found = re.findall(r"(?:^|[\s,;])" + re.escape(name) + r"\s*[:=]?\s*" + number + r"(?![\w.])", output, re.MULTILINE)
    if not found:
        raise Failed(f"no figure '{name}' in the output")
    return float(found[-1])


def cell(row, number, output):
    """Column `number` (from 1) of the last printed line that starts with the word or phrase `row`."""
    found = [line.split() for line in output.splitlines() if line.strip().startswith(row)]
    if not found:
        raise Failed(f"no line starts with '{row}'")
    if number > len(found[-1]):
        raise Failed(f"the line '{row}' has {len(found[-1])} columns only")
    return float(found[-1][number - 1].strip(",;"))


def column(path, statistic, name):
    with open(path, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader((line for line in lines if not line.startswith("#")), skipinitialspace=True))
    if not rows or name not in rows[0]:
        raise Failed(f"{path} has no column '{name}'" + (f"; it has {', '.join(rows[0])}" if rows else ""))
    # The log of a training begins with a row from before its first step, which has no loss.
    cells = list(itertools.dropwhile(lambda cell: cell == "", (row[name] for row in rows)))
    if not cells or "" in cells:
        raise Failed(f"column '{name}' of {path} has empty cells")
    values = [float(cell) for cell in cells]
    functions = {"last": lambda v: v[-1], "first": lambda v: v[0], "max": max, "min": min,
                 "mean": lambda v: sum(v) / len(v), "absmax": lambda v: max(map(abs, v)), "count": len}
    if statistic not in functions:
        raise Failed(f"unknown statistic '{statistic}'; one of {', '.join(functions)}")
    return float(functions[statistic](values))


def check_h5equal(first, second, tolerance):
    try:
        import h5py
        import numpy
    except ImportError:
        print(f"skipped: h5equal {first} {second} (h5py is missing)")
        return
    with h5py.File(first, "r") as a, h5py.File(second, "r") as b:
        names = [set(), set()]
        for file, into in ((a, names[0]), (b, names[1])):
            file.visititems(lambda name, item, into=into: into.add(name) if isinstance(item, h5py.Dataset) else None)
        if names[0] != names[1]:
            raise Failed(f"{first} and {second} hold different datasets: {sorted(names[0] ^ names[1])}")
        for name in sorted(set(a.attrs) | set(b.attrs) if tolerance == 0 else ()):
            if name not in a.attrs or name not in b.attrs or not numpy.array_equal(a.attrs[name], b.attrs[name]):
                raise Failed(f"attribute {name} differs between {first} and {second}: {a.attrs.get(name)}, {b.attrs.get(name)}")
        for name in sorted(names[0]):
            x, y = a[name][()], b[name][()]
            if x.shape != y.shape:
                raise Failed(f"{name}: shapes {x.shape} and {y.shape}")
            same = numpy.array_equal(x, y) if tolerance == 0 else numpy.allclose(x, y, rtol=0, atol=tolerance)
            if not same:
                raise Failed(f"{name} differs between {first} and {second}, by up to {numpy.abs(x - y).max():.3g}")


def check(key, text, result, options):
    if key == "error":
        prefix = f"{os.path.basename(options.app)}: error:"
        lines = [line for line in result.stderr.splitlines() if line.startswith(prefix)]
        if len(lines) != 1:
            raise Failed(f"{len(lines)} lines on stderr start with '{prefix}', expected one")
        if text not in lines[0]:
            raise Failed(f"the error line does not say '{text}'")
        if result.returncode == 0:
            raise Failed("the exit status is 0 in spite of an error")
        for noise in ("PETSC ERROR", "Traceback", "terminate called"):
            if noise in result.stderr + result.stdout:
                raise Failed(f"more than one clear line: '{noise}' was printed")
    elif key in ("stdout", "stderr"):
        if text not in getattr(result, key):
            raise Failed(f"'{text}' is not on {key}")
    elif key in ("no_stdout", "no_stderr"):
        if text in getattr(result, key[3:]):
            raise Failed(f"'{text}' is on {key[3:]}")
    elif key == "figure":
        name, expected, tolerance = split_expectation(text)
        check_close(name, figure(name, result.stdout), expected, tolerance)
    elif key == "cell":
        row, number, expected, *tolerance = shlex.split(text)
        what = f"column {number} of '{row}'"
        check_close(what, cell(row, int(number), result.stdout), expected, tolerance[0] if tolerance else "0")
    elif key == "csv":
        file, statistic, rest = text.split(None, 2)
        name, expected, tolerance = split_expectation(rest)
        check_close(f"{statistic} of {name}", column(file, statistic, name), expected, tolerance)
    elif key == "exists":
        if not glob.glob(text):
            raise Failed(f"{text} was not written")
    elif key == "missing":
        if glob.glob(text):
            raise Failed(f"{text} exists: {', '.join(sorted(glob.glob(text)))}")
    elif key == "same":
        first, second = words_of(text, options)
        if open(first, "rb").read() != open(second, "rb").read():
            raise Failed(f"{first} and {second} differ")
    elif key == "h5equal":
        words = words_of(text, options)
        check_h5equal(words[0], words[1], float(words[2]) if len(words) > 2 else 0.0)


def run(arguments, expectations, options):
    settings = dict(expectations)
    command = options.launcher + [settings.get("ranks", str(options.ranks)), options.app]
    command += words_of(arguments, options)
    print("$", " ".join(command), flush=True)
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
                            timeout=float(settings.get("timeout", 280)))
    failures = []
    statuses = settings.get("exit", "nonzero" if "error" in settings else "0")
    if (result.returncode == 0) if statuses == "nonzero" else (result.returncode != int(statuses)):
        failures.append(f"exit status {result.returncode}, expected {statuses}")
    for key, text in expectations:
        try:
            check(key, text, result, options)
        except (Failed, OSError, ValueError) as failure:
            failures.append(f"{key}: {text}: {failure}")
    print(result.stdout, result.stderr, sep="", end="")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--app", required=True)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("launcher", nargs="+")
    options = parser.parse_args()
    steps = parse(options.file)
    shutil.rmtree(options.folder, ignore_errors=True)
    os.makedirs(options.folder)
    os.chdir(options.folder)
    for step in steps:
        if step[0] == "prepare":
            prepare(step[1], step[2], options)
            continue
        failures = run(step[1], step[2], options)
        if failures:
            raise Failed("\n".join(failures))


if __name__ == "__main__":
    try:
        main()
    except (Failed, subprocess.TimeoutExpired) as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
