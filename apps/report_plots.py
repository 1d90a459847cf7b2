"""The plots of report.py as small inline SVG, drawn by matplotlib; without it there are none, and NOTICES says so.

Also what page and plots share: grouping of rows, amounts in words, one look for each configuration.
"""
import io
import itertools
import logging
import math
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

# Told apart with colour vision deficiencies too: after P. Tol (configurations), Okabe and Ito (kinds of work).
COLOURS = ("#5347c4", "#cc6677", "#117733", "#e08a1e", "#44aa99", "#9c2a66", "#5aa9dd", "#8c8c2b", "#bb55aa")
KINDS = {"set-up": "#b4b8bf", "MatMult": "#0072b2", "preconditioner": "#009e73", "smoother": "#e69f00",
         "transfer": "#56b4e9", "factor solve": "#cc79a7", "reductions": "#d55e00", "vectors": "#f0e442",
         "halos": "#7b3294", "network": "#222222", "other": "#8d8478"}
REFERENCE = {"color": "#555b64", "ls": (0, (5, 4)), "lw": 0.9, "zorder": 1}
MOST_POINTS = 70  # of a curve: enough at this size
MOST_STEPS = 300  # longer sequences are drawn as running medians


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


def amount(value, unit=""):
    """Three digits and a prefix: 12.3 ms, 4.56 G."""
    if not math.isfinite(value) or value == 0:
        return show(value)
    power = min(max(math.floor(math.log10(abs(value)) / 3), -3 if unit else 0), 0 if unit else 5)
    return f"{float(f'{value / 1000.0 ** power:.3g}'):g} {('', *'kMGTPnµm')[power]}{unit}".strip()


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

    def __init__(self, names, candidates, kinds):
        """For configurations, those of them that are candidates, and the kinds of work, in order of appearance."""
        self.candidates = candidates
        self.looks = {name: {"color": COLOURS[i % 9], "ls": ("-", "--", ":")[i // 9 % 3],
                             "lw": 2.0 if name in candidates else 1.2} for i, name in enumerate(names)}
        others = [kind for kind in kinds if kind not in KINDS]
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
