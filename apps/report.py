#!/usr/bin/env python3
"""Writes the page of a comparison by `compare`: which solver configuration is fastest, by how much, and why.

    python3 apps/report.py FOLDER

Reads whichever of environment, summary, events, history, sequence, scaling and logs (.csv) FOLDER holds and writes
FOLDER/report.html: one page that needs nothing else, neither network nor scripts. The plots need matplotlib (Debian
package python3-matplotlib); without it the page has the tables only, and says so.
"""
import argparse
import csv
import itertools
import math
import os
import re
import sys
from html import escape

sys.dont_write_bytecode = True  # no __pycache__ beside installed programs
from report_plots import NOTICES, Painter, amount, finite, gather, show

FILES = ("environment", "summary", "events", "history", "sequence", "scaling", "logs")
MEASURES = {"1": "set-up + 1 solve", "10": "set-up + 10 solves", "100": "set-up + 100 solves", "solve": "solve alone"}


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


def whole(value):
    return show(value, "{:,.0f}").replace(",", "\u202f")


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


class Report:
    """The page: verdict, a section for each workload, logs, environment."""

    def __init__(self, data):
        self.data = data
        measured = list(itertools.chain(*(data[f] for f in FILES[1:6])))
        candidates = {row["configuration"] for row in data["summary"] if row["role"] == "candidate"}
        self.painter = Painter(gather(measured, "configuration"), candidates, gather(data["events"], "category"))
        self.anchors = {name: f"w{i + 1}" for i, name in enumerate(gather(measured, "workload"))}

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
