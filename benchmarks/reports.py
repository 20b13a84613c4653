"""What a report's page takes: finding its runs, building it, drawing it.

Each report is built from the committed records in a process of its own, whose
libraries are imported before the clock starts. Times are of the processor, so
that other programs count little. With ``--before`` another checkout, of an
earlier state, is measured in turn with this one.

Run: python benchmarks/reports.py --before=CHECKOUT --out=results/benchmarks
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import _common
from _common import Case, Target

RUNS = _common.ROOT / "results" / "runs"
PROGRAM = Path(__file__).with_name("_report_phases.py")
PHASES = ("resolving", "building", "drawing")
NOW, BEFORE = "now", "before"
WANTED = 0.1  # of the time before


class Building:
    """Builds a report with the code of a checkout, again and again."""

    def __init__(self, report: str, checkout: Path) -> None:
        """Takes the report and whose code builds it."""
        self._words = [str(PROGRAM), str(checkout), report, str(RUNS)]
        self._checkout = checkout
        self._rounds: list[dict[str, Any]] = []

    def __call__(self) -> float:
        """Gives the seconds of finding the runs."""
        made = subprocess.run(
            [sys.executable, *self._words],
            cwd=self._checkout,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._rounds.append(json.loads(made.stdout))
        return float(self._rounds[-1]["seconds"]["resolving"])

    def result(self, rounds: int) -> dict[str, Any]:
        """The medians of the last rounds; a page without runs is not built."""
        last = self._rounds[-rounds:]
        medians = {
            phase: statistics.median(r["seconds"][phase] for r in last)
            for phase in PHASES
            if all(phase in r["seconds"] for r in last)
        }
        is_built = all(r["code"] == 0 for r in last)
        return {**medians, "parsed": last[0]["parsed"], "built": is_built}


def _flags() -> argparse.Namespace:
    parser = _common.arguments(__doc__.splitlines()[0], repeats=3)
    parser.add_argument(
        "--before",
        type=lambda text: Path(text).expanduser().resolve(),
        help="a checkout of an earlier state",
    )
    parser.add_argument(
        "--reports", default="", help="some of them, between commas"
    )
    return parser.parse_args()


def _targets(results: dict[str, dict[str, Any]]) -> list[Target]:
    """Finding the runs against the state before, where runs are needed."""
    seconds = {
        state: {
            report: result["resolving"]
            for report, result in results[state].items()
            if results[BEFORE][report]["resolving"] > WANTED / 100
        }
        for state in (NOW, BEFORE)
    }
    ratios = {k: v / seconds[BEFORE][k] for k, v in seconds[NOW].items()}
    slowest = max(ratios, key=lambda report: ratios[report])
    found = [
        Target(
            "resolving all reports / before",
            WANTED,
            sum(seconds[NOW].values()) / sum(seconds[BEFORE].values()),
            at_most=True,
        )
    ]
    found += [
        Target(
            f"{report}: resolving / before",
            WANTED,
            ratios[report],
            at_most=True,
        )
        for report in dict.fromkeys(("fig5_distillation", slowest))
        if report in ratios
    ]
    return found


def main() -> int:
    """Measures, prints and writes."""
    flags = _flags()
    _common.start()
    from ls_tf.spec import registry

    about = _common.machine()
    states = {NOW: _common.ROOT}
    if flags.before is not None:
        states[BEFORE] = flags.before
    reports = flags.reports.split(",") if flags.reports else []
    builds = {
        (state, report): Building(report, checkout)
        for report in reports or registry.names("ls_tf.reports")
        for state, checkout in states.items()
    }
    cases: dict[str, Case] = {
        f"{report}, {state}": build for (state, report), build in builds.items()
    }
    timings = _common.interleaved(cases, repeats=flags.repeats, pause=0)
    results: dict[str, dict[str, Any]] = {state: {} for state in states}
    for (state, report), build in builds.items():
        results[state][report] = build.result(flags.repeats)
    _common.table(
        ("report", "state", *PHASES, "parsed"),
        [
            (
                report,
                state,
                *(result.get(p, "-") for p in PHASES),
                result["parsed"],
            )
            for (state, report), result in (
                (key, results[key[0]][key[1]]) for key in builds
            )
        ],
    )
    _common.finish(
        "reports",
        flags,
        about=about,
        settings={"repeats": flags.repeats, "clock": "processor time"},
        timings=timings,
        results={
            **results,
            "commits": {k: _common.commit(v) for k, v in states.items()},
        },
        targets=_targets(results) if BEFORE in results else [],
        others=_common.versions("matplotlib"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
