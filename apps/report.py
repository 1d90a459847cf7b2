#!/usr/bin/env python3
"""Writes the page of a comparison by `compare`: which solver configuration is fastest, by how much, and why.

    python3 apps/report.py FOLDER

Reads whichever of environment, summary, events, history, sequence, scaling and logs (.csv) FOLDER holds and writes
FOLDER/report.html: one page that needs nothing else, neither network nor scripts. The plots need matplotlib (Debian
package python3-matplotlib); without it the page has the tables only, and says so.
"""
import argparse
import csv
import io
import itertools
import logging
import math
import os
import re
import statistics
import warnings
from html import escape

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no words about missing glyphs or a home without write access
warnings.simplefilter("ignore")
try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    NOTICES = []
except ImportError as missing:
    plt, NOTICES = None, [f"no plots drawn: {missing} (Debian package python3-matplotlib)"]

FILES = ("environment", "summary", "events", "history", "sequence", "scaling", "logs")
# Told apart with colour vision deficiencies too: after P. Tol (configurations), Okabe and Ito (kinds of work).
COLOURS = ("#5347c4", "#cc6677", "#117733", "#e08a1e", "#44aa99", "#9c2a66", "#5aa9dd", "#8c8c2b", "#bb55aa")
KINDS = {"set-up": "#b4b8bf", "MatMult": "#0072b2", "preconditioner": "#009e73", "smoother": "#e69f00",
         "transfer": "#56b4e9", "factor solve": "#cc79a7", "reductions": "#d55e00", "vectors": "#f0e442",
         "halos": "#7b3294", "network": "#222222", "other": "#8d8478"}
MEASURES = {"1": "set-up + 1 solve", "10": "set-up + 10 solves", "100": "set-up + 100 solves", "solve": "solve alone"}
REFERENCE = {"color": "#555b64", "ls": (0, (5, 4)), "lw": 0.9, "zorder": 1}
MOST_POINTS = 70  # of a curve: enough at this size
MOST_STEPS = 300  # longer sequences are drawn as running medians


class Row(dict):
    """One line of a CSV file; a column that is missing or empty reads as "", and as NaN where a number is wanted."""

    def __missing__(self, column):
        return ""

    def number(self, column):
        try:
            return float(self[column])
        except ValueError:
            return math.nan

    @property
    def ranked(self):
        return math.isfinite(self.number("rank"))

    @property
    def case(self):
        return self["workload"], self["grid"], self["ranks"]

    def ratio(self, measure):
        """Time against the best baseline's of the same round: median, least, greatest."""
        return [self.number(f"ratio_{measure}{end}") for end in ("", "_min", "_max")]


def read(folder, name):
    """The rows of a file that hold anything; None where there is no such file."""
    path = os.path.join(folder, name + ".csv")
    if not os.path.isfile(path):
        return None
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="replace") as lines:
            rows = [Row({k.strip(): re.sub(r"[\x00-\x1f\x7f]", " ", v or "").strip() for k, v in row.items() if k})
                    for row in csv.DictReader(lines)]
    except (OSError, csv.Error) as error:
        raise SystemExit(f"report.py: error: {path}: {getattr(error, 'strerror', None) or error}") from None
    return [row for row in rows if any(row.values())]


def gather(rows, key):
    """Rows by a key, a column or a function of the row, in order of first appearance."""
    found = {}
    for row in rows:
        found.setdefault(key(row) if callable(key) else row[key], []).append(row)
    return found


def finite(*numbers):
    return [n for n in numbers if math.isfinite(n)]


def show(value, form="{:.3g}"):
    """A number, or a dash where there is none."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return (form if abs(value) < 1e12 else "{:.3g}").format(value)


def whole(value):
    return show(value, "{:,.0f}").replace(",", "\u202f")


def amount(value, unit=""):
    """Three digits and a prefix: 12.3 ms, 4.56 G."""
    if not math.isfinite(value) or value == 0:
        return show(value)
    power = min(max(math.floor(math.log10(abs(value)) / 3), -3 if unit else 0), 0 if unit else 5)
    return f"{float(f'{value / 1000.0 ** power:.3g}'):g} {('', *'kMGTPnµm')[power]}{unit}".strip()


def column(rows, name, scale=1):
    """Writes the numbers of a column with as many decimals each, so that they align: three digits of the smallest."""
    sizes = [math.floor(math.log10(abs(n))) for n in finite(*(scale * row.number(name) for row in rows)) if n] or [0]
    decimals = max(0, min(2 - min(sizes), 4, max(4 - max(sizes), 0)))
    return lambda row: show(scale * row.number(name), f"{{:.{decimals}f}}")


def unit_of(rows):
    """Seconds or, where all solves are short, milliseconds: the word and the factor."""
    longest = max(finite(*(row.number("solve_seconds") for row in rows)), default=1)
    return ("seconds", 1) if longest >= 1 else ("milliseconds", 1e3)


def factor(value):
    return f"{value:.2f}" if value < 9.995 else f"{value:,.1f}".replace(",", "\u202f")


def small(text):
    return f"<small>{text}</small>" if text else ""


def table(head, rows, kind):
    """Cells are HTML; those that begin with "<td" bring their own tag. Optional end tags are left out: size."""
    body = "".join("<tr>" + "".join(c if c.startswith("<td") else "<td>" + c for c in row) + "\n" for row in rows)
    return f'<div class=wide><table class="{kind}"><thead><tr><th>{"<th>".join(head)}<tbody>{body}</table></div>\n'


def place(grid, ranks):
    """Grid and ranks in words."""
    return " · ".join(filter(None, (grid and f"grid {escape(grid)}",
                                    ranks and f"{escape(ranks)}\u00a0rank{'' if ranks == '1' else 's'}")))


def logarithmic(axes, which, ticks=()):
    axes.set(**{which + "scale": "log"})
    low, high = getattr(axes, f"get_{which}lim")()
    subs = (1,) if high > 300 * low else (1, 2, 5)
    axis = getattr(axes, which + "axis")
    axis.set_major_locator(FixedLocator(ticks) if ticks else LogLocator(subs=subs, numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def wide(numbers):
    """Whether they are so far apart that the least positive one would vanish on a linear axis."""
    numbers = [n for n in finite(*numbers) if n > 0] or [1]
    return max(numbers) > 15 * min(numbers)


def thin(points):
    """Not more points than one can see, first and last among them."""
    steps = min(len(points), MOST_POINTS) - 1
    return [points[round(i * (len(points) - 1) / steps)] for i in range(steps + 1)] if steps > 0 else list(points)


def stacked(axes, names, bars):
    """Horizontal bars of (seconds, style) segments each; what is far longer than the rest is cut and says so."""
    totals = [sum(length for length, _ in bar) for bar in bars]
    most = 5 * sorted(totals)[3 * len(totals) // 4]
    longest = max([t for t in totals if t <= most] or totals)
    end = (1.13 if max(totals) == longest else 1.4) * longest or 1
    for y, (bar, total) in enumerate(zip(bars, totals)):
        left = 0
        for length, style in bar:
            if length > 1e-3 * end and left < end:
                axes.barh(y, min(length, end - left), left=left, height=0.72, lw=0, clip_on=False, **style)
            left += length
        cut = total > end
        axes.annotate(amount(total, "s") + (" →" if cut else ""), (min(total, end), y), xytext=(-4 if cut else 4, 0),
                      textcoords="offset points", va="center", ha="right" if cut else "left",
                      bbox={"fc": "white", "ec": "none", "pad": 1.5} if cut else None)
    axes.set(xlim=(0, end), ylim=(len(bars) - 0.4, -0.6), yticks=range(len(bars)))
    # "$" would begin a formula.
    axes.set_yticklabels([(n if len(n) < 36 else n[:34] + "…").replace("$", r"\$") for n in names])
    axes.xaxis.set_major_locator(MaxNLocator(6))
    scale, unit = (1, "s") if end >= 1 else (1e3, "ms") if end >= 1e-3 else (1e6, "µs")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{scale * seconds:g} {unit}"))
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)


class Painter:
    """The plots, as small inline SVG, and what page and plots share: one look for each configuration."""

    def __init__(self, data):
        self.candidates = {row["configuration"] for row in data["summary"] if row["role"] == "candidate"}
        names = gather(itertools.chain(*(data[f] for f in FILES[1:6])), "configuration")
        self.looks = {name: {"color": COLOURS[i % 9], "ls": ("-", "--", ":")[i // 9 % 3],
                             "lw": 2.0 if name in self.candidates else 1.2} for i, name in enumerate(names)}
        others = [kind for kind in gather(data["events"], "category") if kind not in KINDS]
        self.kinds = {**KINDS, **dict(zip(others, itertools.cycle(COLOURS)))}
        self.count, self.styles, self.problems = 0, {}, []

    @staticmethod
    def mark(look):
        return f'<i style="border-color:{look["color"]}"{"" if look["ls"] == "-" else " class=dash"}></i>'

    def figure(self, caption, height, draw, widths, marks=()):
        """The figure that `draw(*axes)` fills, with caption and legend. One that fails does not cost the page."""
        if plt is None:
            return ""
        plt.rcParams.update({
            "svg.fonttype": "none", "svg.hashsalt": f"plot {self.count}", "font.family": "sans-serif", "font.size": 9,
            "axes.grid": True, "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
            "axes.edgecolor": "#8a9099", "axes.titlesize": 9, "grid.color": "#e4e7eb", "grid.linewidth": 0.7,
            "xtick.major.size": 0, "ytick.major.size": 0})
        self.count += 1
        figure, axes = plt.subplots(1, len(widths), figsize=(9.6, height), squeeze=False, layout="constrained",
                                    gridspec_kw={"width_ratios": widths})
        buffer = io.StringIO()
        try:
            draw(*axes[0])
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        except Exception as error:  # whatever odd numbers bring about inside matplotlib
            self.problems.append(f"a plot is missing: {caption}: {error}")
            return ""
        finally:
            plt.close(figure)
        legend = "".join(f"<span>{mark}{escape(name)}</span>" for mark, name in marks)
        return f"<figure><figcaption>{caption}</figcaption>" + (legend and f"<p class=legend>{legend}</p>") + \
            f'<svg role=img aria-label="{caption}" viewBox="0 0 691.2 {72 * height:.1f}">' + \
            self.shrink(buffer.getvalue()) + "</svg></figure>\n"

    def shrink(self, svg):
        """What is inside the <svg> tag without what a browser does not need, styles as classes: a quarter of it."""
        svg = svg[svg.index(">", svg.index("<svg")) + 1:svg.rindex("</svg>")]
        svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
        used = set(re.findall(r"#([\w-]+)", svg))

        def style(found):
            text = re.sub(r"font: ([^\"']*?px) [^;\"]*", r"font:\1 sans-serif", found[1])
            return f'class="s{self.styles.setdefault(text, len(self.styles))}"'

        def line(found):  # relative and rounded; the sum of the steps stays exact
            points = [round(10 * float(number)) for number in re.findall(r"[-\d.]+", found[1])]
            steps = " ".join(f"{(b - a) / 10:g}" for a, b in zip(points, points[2:]))
            return f'd="M{points[0] / 10:g} {points[1] / 10:g}l{steps}{found[2]}"'

        def tag(found):
            text = re.sub(r'\sid="([^"]*)"', lambda m: m[0] if m[1] in used else "", found[0])
            text = re.sub(r'transform="rotate\(-0[^"]*"|xlink:(?=href)', "", re.sub(r"\s+", " ", text))
            text = re.sub(r'd="(M [-\d.]+ [-\d.]+(?: L [-\d.]+ [-\d.]+)+) ?(z?) ?"', line, text)
            text = re.sub(r"\d+\.\d+", lambda m: f"{float(m[0]):.1f}".replace(".0", ""), text)
            return re.sub(r' (?="|/?>)', "", text)

        svg = re.sub(r">\s+<", "><", re.sub(r"<[^>]+>", tag, re.sub(r'style="([^"]*)"', style, svg))).strip()
        for _ in range(4):  # groups in groups
            svg = re.sub(r"<g/>|<(g|defs)></\1>|<g>(<(?:path|use)[^>]*/>|<text[^>]*>[^<]*</text>)</g>", r"\2", svg)
        return svg

    def curves(self, caption, panels, finish, looks=None):
        """Panels side by side, each (title of x, title of y, curves); a curve is a name and its points.

        `finish(axes, curves)` completes a panel. Further curves of the same name are drawn faintly.
        """
        looks = looks or {name: self.looks[name] for name, _ in panels[0][2]}

        def draw(*all_axes):
            for axes, (x_title, y_title, curves) in zip(all_axes, panels):
                drawn = set()
                for name, points in curves:
                    points = thin([p for p in points if len(finite(*p)) == 2])
                    axes.plot([p[0] for p in points], [p[1] for p in points], alpha=0.3 if name in drawn else 1,
                              marker="." if len(points) < 9 else None, **looks[name])
                    drawn.add(name)
                axes.set(xlabel=x_title, ylabel=y_title)
                finish(axes, [(name, points) for name, points in curves if points])

        return self.figure(caption, 3.2, draw, [1] * len(panels), [(self.mark(look), n) for n, look in looks.items()])

    def totals(self, rows):
        rows, bars = [row for row in rows if math.isfinite(row.number("solve_seconds"))], []
        for row in rows:
            colour = self.looks[row["configuration"]]["color"]
            hatched = {"facecolor": "#fff", "edgecolor": colour, "hatch": "////"}
            bars.append([(sum(finite(row.number("setup_seconds"))), {"color": colour, "alpha": 0.45}),
                         (row.number("solve_seconds"), {"color": colour} if row.ranked else hatched)])
        caption = "One set-up (pale) and one solve" + ("" if all(r.ranked for r in rows) else "; hatched: not ranked")
        return self.figure(caption, 0.5 + 0.27 * len(rows),
                           lambda axes: stacked(axes, [r["configuration"] for r in rows], bars), [1]) if rows else ""

    def history(self, rows, rtol):
        legs = [leg for own in gather(rows, "configuration").values() for leg in [*gather(own, "seed").values()][:3]]
        panels = [(x_title, y_title, [(leg[0]["configuration"], [
            (r.number(x), r.number("residual")) for r in leg if 0 < r.number("residual") < 1e30]) for leg in legs])
            for x, x_title, y_title in (("iteration", "iterations", "residual / right-hand side"),
                                        ("seconds", "seconds since the start", ""))]

        def finish(axes, curves):
            if rtol > 0:
                axes.axhline(rtol, **REFERENCE)
                axes.annotate("tolerance", (0.01, rtol), xycoords=("axes fraction", "data"), xytext=(0, 2),
                              textcoords="offset points", fontsize=8, color=REFERENCE["color"])
            if curves:
                logarithmic(axes, "y")
            ends = [points[-1][0] for _, points in curves if points[-1][1] < 2 * rtol and points[-1][0] > 0]
            if wide(ends):
                axes.set_xlim(left=min(ends) / 30)
                logarithmic(axes, "x")

        return self.curves("Residual against iterations and against time", panels, finish) if rows else ""

    def sequence(self, rows):
        """Iterations of each step and the time so far; medians over the repeats."""
        iterations, spent, middle = [], [], lambda numbers: statistics.median(finite(*numbers) or [math.nan])
        for name, own in gather(rows, "configuration").items():
            steps = sorted(gather((r for r in own if r["step"]), lambda r: r.number("step")).items())
            counts = [middle(r.number("iterations") for r in same) for _, same in steps]
            times = [middle(sum(finite(r.number("setup_seconds"), r.number("solve_seconds"))) for r in same)
                     for _, same in steps]
            reach = len(steps) // 60 if len(steps) > MOST_STEPS else 0
            iterations.append((name, [(steps[i][0], middle(counts[max(i - reach, 0):i + reach + 1]))
                                      for i in thin(range(len(steps)))]))
            spent.append((name, list(zip([step for step, _ in steps], itertools.accumulate(times)))))
        title = "iterations" + (" (running median)" if any(len(points) > MOST_STEPS for _, points in spent) else "")

        def finish(axes, curves):
            if axes.get_ylabel() == title and wide(count for _, points in curves for _, count in points):
                logarithmic(axes, "y")
            else:
                axes.set(ylim=(0, None))

        return self.curves("Course of the sequence", (("step", title, iterations), ("step", "seconds so far", spent)),
                           finish) if rows else ""

    def breakdown(self, rows):
        """Own seconds by kind of work; they add up, as nested events are taken out."""
        names, spent = list(gather(rows, "configuration")), {}
        for row in rows:
            where = row["phase"], row["configuration"], row["category"]
            spent[where] = spent.get(where, 0) + max(sum(finite(row.number("own_seconds"))), 0)
        used = [k for k in self.kinds if any(spent.get((p, n, k)) for p in ("solve", "setup") for n in names)]

        def draw(*panels):
            for axes, phase, title in zip(panels, ("solve", "setup"), ("solve", "set-up")):
                bars = [[(spent.get((phase, n, k), 0), {"color": self.kinds[k]}) for k in used] for n in names]
                stacked(axes, names if phase == "solve" else [""] * len(names), bars)
                axes.set(title=title)

        marks = [(f'<i class=box style="background:{self.kinds[k]}"></i>', k or "unnamed") for k in used]
        return self.figure("Where the time goes", 0.75 + 0.27 * len(names), draw, [1.2, 1], marks) if used else ""

    def scaling(self, rows):
        counts = sorted(set(n for n in finite(*(row.number("ranks") for row in rows)) if n > 0))
        panels = [("ranks", title, [(name, sorted((r.number("ranks"), r.number(what)) for r in own))
                                    for name, own in gather(rows, "configuration").items()])
                  for what, title in (("speedup", "speed-up"), ("efficiency", "efficiency"))]

        def finish(axes, _):
            axes.plot(counts, [c / counts[0] if axes.get_ylabel() == "speed-up" else 1 for c in counts], **REFERENCE)
            axes.set(ylim=(0, None))
            logarithmic(axes, "x", counts)

        return self.curves("Speed-up and efficiency (dashed: ideal)", panels, finish) if len(counts) > 1 else ""

    def logs(self, rows):
        counts, spent = sorted(set(n for n in finite(*(row.number("ranks") for row in rows)) if n > 0)), {}
        for (event, ranks, _), own in gather(rows, lambda r: (r["event"], r.number("ranks"), r["log"])).items():
            spent.setdefault(event, {}).setdefault(ranks, []).append(sum(finite(*(r.number("seconds") for r in own))))
        curves = [(event, [(c, statistics.mean(by[c])) for c in counts if sum(by.get(c, []))])
                  for event, by in spent.items()]
        curves = sorted((c for c in curves if c[1]), key=lambda c: -max(s for _, s in c[1]))[:len(COLOURS)]

        def finish(axes, curves):
            ranks, seconds = curves[0][1][0]
            axes.plot(counts, [seconds * ranks / c for c in counts], **REFERENCE)
            logarithmic(axes, "y")
            logarithmic(axes, "x", counts)

        looks = {event: {"color": colour, "ls": "-"} for (event, _), colour in zip(curves, COLOURS)}
        return self.curves("The largest events against ranks (dashed: ideal)", [("ranks", "seconds", curves)], finish,
                           looks) if len(counts) > 1 and curves else ""


class Report:
    """The page: verdict, a section for each workload, logs, environment."""

    def __init__(self, data):
        self.data, self.painter = data, Painter(data)
        names = gather(itertools.chain(*(data[f] for f in FILES[1:6])), "workload")
        self.anchors = {name: f"w{i + 1}" for i, name in enumerate(names)}

    def name(self, row, tag=True):
        name = row["configuration"]
        candidate = row["role"] == "candidate" if row["role"] else name in self.painter.candidates
        tag = " <b class=tag>candidate</b>" if tag and candidate else ""
        return f"<span class=name>{self.painter.mark(self.painter.looks[name])}<b>{escape(name)}</b>{tag}</span>"

    def fastest(self, rows, measure):
        """A cell: the fastest of the ranked rows by a measure, and its lead over the best of the other role."""
        times = [row.ratio(measure)[0] for row in rows]
        if len(finite(*times)) < len(rows):
            times = [row.number("solve_seconds" if measure == "solve" else f"total_{measure}") for row in rows]
        order = sorted((time, i) for i, time in enumerate(times) if math.isfinite(time) and time > 0)
        if not order:
            return "–"
        (best, first), *others = [(time, rows[i]) for time, i in order]
        if not others:
            return self.name(first, False) + small("the only one")
        time, rival = next((o for o in others if o[1]["role"] != first["role"]), others[0])
        won, lost = (a["role"] == "candidate" != b["role"] for a, b in ((first, rival), (rival, first)))
        lead, ends, ratio = time / best, (), (first if won else rival).ratio(measure)
        if (won or lost) and all(r > 0 for r in ratio):
            lead, *ends = [1 / r for r in ratio] if won else ratio
        low, high = (min(ends), max(ends)) if ends else (math.nan, math.nan)
        spread = f" <span class=name>({factor(low)}–{factor(high)})</span>" if low < high else ""
        kind = "level" if low <= 1 <= high else "win" if won else "plain"
        return f"<td class={kind}>" + self.name(first, False) + small(
            f"<b>{factor(lead)}×</b> as fast as {escape(rival['configuration'])}{spread}")

    def verdict(self):
        lines, roles = [], []
        for (name, *where), rows in gather(self.data["summary"], lambda row: row.case).items():
            ranked = sorted((row for row in rows if row.ranked), key=lambda row: row.number("rank"))
            out = f"; <em>{len(rows) - len(ranked)} not ranked</em>" if len(ranked) < len(rows) else ""
            roles += [row["role"] for row in ranked[:1]]
            first = self.name(ranked[0]) if ranked else "<b class=bad>none</b>"
            lines.append([f'<a href="#{self.anchors[name]}">{escape(name)}</a>' + small(place(*where)),
                          first + small(f"of {len(ranked)} ranked{out}"), *(self.fastest(ranked, m) for m in MEASURES)])
        tally = f"<p>A candidate is ranked first in <b>{roles.count('candidate')} of {len(lines)}</b> cases.</p>"
        note = "<p class=note>Fastest of the ranked: <span class=win>a candidate</span>, a baseline, or <span " \
            "class=level>level with the best of the other kind</span>. In brackets: range over the rounds.</p>"
        return f"<section id=verdict><h2>Verdict</h2>{tally if self.painter.candidates else ''}" + table(
            ["workload", "ranked first", *MEASURES.values()], lines, "text") + note + "</section>\n"

    def summary(self, rows):
        """The table of one case: ranked rows as they come, the others below with what went wrong."""
        if not rows:
            return ""
        unit, scale = unit_of(rows)
        timed = ("setup_seconds", "solve_seconds", "total_1", "total_10", "total_100")
        form = {name: column(rows, name, scale) for name in timed}

        def time(row, name, spread="", measure=""):
            middle, low, high = row.ratio(measure) if measure else [math.nan] * 3
            tone = "class=good" if high < 1 else "class=bad" if low > 1 else ""
            percent = 100 * row.number(spread) if row.number(name) > 0 and row["visits"] != "1" else math.nan
            spreads = " {}–{}".format(*map(factor, (low, high))) if low < high else ""
            return (f"<i>±{percent:.0f}\u202f%</i> " if math.isfinite(percent) else "") + form[name](row) + small(
                f"<b {tone}>{factor(middle)}×</b>{spreads}" if finite(middle) else "")

        lines = []
        for row in sorted(rows, key=lambda row: not row.ranked):
            low, high = row.number("iterations_min"), row.number("iterations_max")
            status = "not ranked" if row["status"] in ("ok", "") else row["status"].replace("_", " ")
            state = "" if row.ranked else f"<b class=badge>{escape(status)}</b> "
            lines.append([
                f"<b>{escape(row['rank'])}</b>" if row.ranked else "<td class=out>–",
                self.name(row) + small(escape(row["solver"])) + small(state + f"<em>{escape(row['message'])}</em>"
                                                                      if state or row["message"] else ""),
                whole(row.number("iterations")) + small(f"{whole(low)}–{whole(high)}" if low < high else ""),
                time(row, "setup_seconds", "setup_spread"), time(row, "solve_seconds", "solve_spread", "solve"),
                *(time(row, f"total_{k}", "", k) for k in ("1", "10", "100")),
                show(row.number("true_residual"), "{:.1e}"), whole(row.number("peak_mb")), show(row.number("gflops"))])
        options = [[self.name(r), f"<code>{escape(r['options'])}</code>"] for r in rows if r["options"]]
        return table(["rank", "configuration", "iterations", "set-up", "solve", "1 solve", "10 solves", "100 solves",
                      "true residual", "peak MB", "GFlop/s"], lines, "summary") + \
            f"<p class=note>Times in {unit}; 1, 10, 100 solves with one set-up. ±: half the range over the rounds. " \
            "×: time over the best baseline’s of the same round, median and range; below 1 is faster.</p>" + (
                f"<details><summary>Options</summary>{table(['configuration', 'options'], options, 'text')}</details>"
                if options else "")

    @staticmethod
    def largest(title, rows, seconds, most, where, measured, how=""):
        """A folded table of the events that take longest; `where` and `measured` give cells from a row."""
        rows = sorted(rows, key=lambda row: -sum(finite(row.number(seconds))))[:most]
        counts = ("count", "flops", "messages", "bytes", "reductions")
        lines = [[escape(row["event"]), escape(where(row)), *(form(row) for form in measured.values()),
                  *(amount(row.number(c)) for c in counts)] for row in rows]
        return f"<details{how}><summary>{title}</summary>{table(['event', 'in', *measured, *counts], lines, 'dense')}" \
            "</details>\n" if rows else ""

    def events(self, rows):
        text = ""
        for own in gather(rows, "configuration").values():
            own = [row for row in own if 0 < row.number("own_seconds") < math.inf]
            total = {phase: sum(row.number("own_seconds") for row in of) for phase, of in gather(own, "phase").items()}
            text += self.largest(f"Events of {self.name(own[0])}", own, "own_seconds", 12, lambda row: " · ".join(
                filter(None, (row["phase"].replace("setup", "set-up"), row["category"]))), {
                    "own ms": column(own, "own_seconds", 1e3), "with nested": column(own, "seconds", 1e3), "% of phase":
                    lambda row: show(100 * row.number("own_seconds") / total[row["phase"]], "{:.1f}")}) if own else ""
        return text

    def scaling(self, rows):
        """A line for each configuration, a column for each number of ranks."""
        counts, lines = sorted(gather(rows, lambda row: row.number("ranks"))), []
        unit, scale = unit_of(rows)
        form = {n: column(rows, n, scale) for n in ("setup_seconds", "solve_seconds")}
        for own in gather(rows, "configuration").values():
            found = {row.number("ranks"): row for row in own}
            lines.append([self.name(own[0])] + [form["solve_seconds"](row) + small(
                f"{show(row.number('speedup'), '{:.2f}')}× · {show(100 * row.number('efficiency'), '{:.0f} %')}<br>"
                f"set-up {form['setup_seconds'](row)} · {whole(row.number('iterations'))} it.") if row else "–"
                for row in map(found.get, counts)])
        return table(["configuration", *(place("", show(c)) for c in counts)], lines, "") + \
            f"<p class=note>Time of a solve; below: speed-up, efficiency, set-up, iterations. In {unit}.</p>" + \
            self.painter.scaling(rows)

    def workload(self, name):
        """Its cases in turn, each with table, plots and breakdown; scaling at the end."""
        mine = {f: [row for row in self.data[f] if row["workload"] == name] for f in FILES[1:6]}
        text = f"<section id={self.anchors[name]}><h2>{escape(name or 'unnamed')}</h2>"
        for case in gather(itertools.chain(*(mine[f] for f in FILES[1:5])), lambda row: row.case):
            order = [row["configuration"] for row in mine["summary"] if row.case == case]
            own = {f: sorted((row for row in rows if row.case == case), key=lambda row: order.index(
                row["configuration"]) if row["configuration"] in order else len(order)) for f, rows in mine.items()}
            first = (own["summary"] or [Row()])[0]
            facts = [place(*case[1:])] + [f"{whole(first.number(c))} {c}" for c in ("unknowns", "steps", "visits")
                                          if first.number(c) > 1]
            facts += [f"relative tolerance {escape(first['rtol'])}"] if first["rtol"] else []
            text += f"<h3>{' · '.join(filter(None, facts))}</h3>" + self.summary(own["summary"])
            text += self.painter.totals(own["summary"]) + self.painter.history(own["history"], first.number("rtol"))
            text += self.painter.sequence(own["sequence"]) + self.painter.breakdown(own["events"])
            text += self.events(own["events"])
        for grid, rows in gather(mine["scaling"], "grid").items():
            text += f"<h3>Scaling{grid and ' · ' + place(grid, '')}</h3>" + self.scaling(rows)
        return text + "</section>\n"

    def logs(self):
        text = "<section id=logs><h2>Logs</h2><p class=note>Seconds of the slowest rank, and of the fastest. Events " \
            "nest, so that shares of a stage do not add up.</p>" + self.painter.logs(self.data["logs"])
        for (name, ranks), rows in gather(self.data["logs"], lambda row: (row["log"], row["ranks"])).items():
            text += self.largest(f"<b>{escape(name)}</b> · {place('', ranks)}", rows, "seconds", 15,
                                 lambda row: row["stage"], {"s": column(rows, "seconds"), "fastest s": column(
                                     rows, "seconds_min"), "% of stage": lambda row: show(
                                         100 * row.number("own_share"), "{:.1f}")}, " open")
        return text + "</section>\n"

    def page(self):
        facts = {row["key"]: row["value"] for row in self.data["environment"]}
        links = {"verdict": "Verdict"} if self.data["summary"] else {}
        links.update((anchor, name or "unnamed") for name, anchor in self.anchors.items())
        links.update({f: f.capitalize() for f in ("logs", "environment") if self.data[f]})
        body = self.verdict() if self.data["summary"] else ""
        body += "".join(map(self.workload, self.anchors)) + (self.logs() if self.data["logs"] else "")
        if facts:
            body += "<section id=environment><h2>Environment</h2><dl>" + "".join(
                f"<dt>{escape(key)}<dd>{escape(value)}" for key, value in facts.items()) + "</dl></section>\n"
        self.notices = NOTICES + self.painter.problems + ["the CSV files are empty"] * (not any(self.data.values()))
        return '<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">' \
            f"<title>Comparison of solvers</title><style>{STYLE}" + \
            "".join(f".s{number}{{{text}}}" for text, number in self.painter.styles.items()) + \
            "</style>\n<h1>Comparison of solver configurations</h1><p class=note>" + \
            " · ".join(escape(facts[k]) for k in ("date", "machine") if facts.get(k)) + \
            "".join(f'<p class="card">Notice: {escape(notice)}' for notice in self.notices) + \
            "<nav>" + "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name in links.items()) + \
            f"</nav>\n{body}</html>\n"


STYLE = """
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--text:#1c2128;--soft:#5f6975;--line:#e2e5ea;--link:#0b5cad;
--good:#137333;--bad:#b3261e;--win:#e3f3e7;--level:#fdf3d8;--tag:#e3ecfb}
@media(prefers-color-scheme:dark){:root{--back:#14171c;--card:#1d2229;--text:#e4e8ee;--soft:#9aa5b3;--line:#323a45;
--link:#7fb4ff;--good:#6fd08c;--bad:#ff8a80;--win:#1b3a27;--level:#3d3418;--tag:#26395a}}
body{margin:0 auto;max-width:78rem;padding:1.5rem 1.25rem 4rem;background:var(--back);color:var(--text);
font:15px/1.5 system-ui,sans-serif}h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0}h2{font-size:1.3rem;margin:0}
h3{font-size:.98rem;margin:1.2rem 0 .5rem;color:var(--soft)}a{color:var(--link)}.wide{overflow-x:auto}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.7rem 0 1.2rem}section,.card{background:var(--card);
border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.25rem;margin:0 0 1.2rem}.card{border-color:var(--bad)}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th{color:var(--soft);vertical-align:bottom;font-size:.78rem;line-height:1.25;border-bottom:2px solid var(--line)}
td{border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
th,td{text-align:right;padding:.35rem .5rem}
th:first-child,td:first-child,.text th,.text td,.summary tr>:nth-child(2),.dense tr>:nth-child(2){text-align:left;
white-space:normal}
.dense{font-size:.8rem}.dense td{padding:.16rem .5rem}.summary{font-size:.82rem}.summary tr>*{padding:.35rem .3rem}
.summary td:nth-child(2){min-width:13rem}td .name{white-space:nowrap}
small{display:block;color:var(--soft);font-size:.78rem;line-height:1.35}em{color:var(--bad);font-style:normal}
.win{background:var(--win)}.level{background:var(--level)}.good{color:var(--good)}.bad{color:var(--bad)}
.tag,.badge{font-size:.68rem;border-radius:6px;padding:.05rem .35rem;white-space:nowrap;background:var(--tag)}
.badge{background:var(--bad);color:var(--card);font-size:.74rem}tr:has(.out) td{color:var(--soft)}
code{font-size:.8rem;overflow-wrap:anywhere}.note{color:var(--soft);font-size:.82rem;margin:.45rem 0}
.note span{padding:0 .3rem;border-radius:4px}details{margin:.35rem 0}summary{cursor:pointer;font-size:.88rem}
figure{background:#fff;color:#20262e;border:1px solid var(--line);border-radius:10px;margin:.9rem 0;padding:.7rem .8rem}
figcaption{font-weight:600;font-size:.86rem}svg{display:block}svg *{stroke-linejoin:round;stroke-linecap:butt}
svg text{font-family:system-ui,sans-serif!important}.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.3rem 0;
font-size:.8rem}i[style]{display:inline-block;width:1.1em;border-top:3px solid;margin-right:.4em;vertical-align:.22em}
td>i{font-size:.78rem;font-style:normal;color:var(--soft)}i.dash{border-style:dashed none none}
i.box{width:.8em;height:.8em;border:0!important;border-radius:2px;vertical-align:-.05em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;font-size:.88rem}dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}@media print{body{max-width:none}figure{break-inside:avoid}}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    data = {name: read(folder, name) for name in FILES}
    if all(rows is None for rows in data.values()):
        raise SystemExit(f"report.py: error: {folder} holds none of {', '.join(f + '.csv' for f in FILES)}")
    report = Report({name: rows or [] for name, rows in data.items()})
    text, output = report.page(), os.path.join(folder, "report.html")
    try:
        with open(output + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(output + ".part", output)
    except OSError as error:
        raise SystemExit(f"report.py: error: {output}: {error.strerror}") from None
    for notice in report.notices:
        print(f"report.py: {notice}")


if __name__ == "__main__":
    main()
