"""Builds one report with the code of a checkout and prints what it took.

Run by reports.py, once for each report and round, so that nothing is warm:
python benchmarks/_report_phases.py CHECKOUT REPORT RUNS_DIR
"""

import ast
import contextlib
import importlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


def _builder() -> ModuleType:
    """The module that builds pages, by the name that the checkout has."""
    for name in ("ls_tf.pages.builder", "ls_tf.reports._build"):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise SystemExit("_report_phases.py: no module that builds pages")


def _command() -> tuple[ModuleType, str]:
    """Where the command that builds a report is, by module and name."""
    try:
        return importlib.import_module("ls_tf.commands"), "report"
    except ModuleNotFoundError:  # a checkout from before there was one
        return importlib.import_module("ls_tf.cli"), "_report"


class Clock:
    """Seconds of processor time by phase; ``ast.parse`` calls outside them."""

    def __init__(self) -> None:
        """Starts at nothing."""
        self.seconds: dict[str, float] = {}
        self.parsed = 0
        parse = ast.parse

        def counting(*arguments: Any, **options: Any) -> Any:
            self.parsed += 1
            return parse(*arguments, **options)

        ast.parse = counting

    def timed(
        self, phase: str, function: Callable[..., Any], *, whole: bool = False
    ) -> Callable[..., Any]:
        """Wraps a function so that its time counts for a phase.

        Args:
            phase: the name.
            function: what is wrapped.
            whole: whether the other phases are parts of this one.
        """

        def wrapped(*arguments: Any, **options: Any) -> Any:
            began, parsed = time.process_time(), self.parsed
            try:
                result = function(*arguments, **options)
                # A report that yields its blocks is built by reading them.
                return tuple(result) if isinstance(result, Iterator) else result
            finally:
                took = time.process_time() - began
                self.seconds[phase] = self.seconds.get(phase, 0.0) + took
                if not whole:
                    self.parsed = parsed

        return wrapped


def main() -> None:
    """Builds the report and prints the phases as JSON."""
    checkout, report, runs_dir = sys.argv[1:]
    sys.path.insert(0, checkout)
    from ls_tf import cli

    builder = _builder()
    module = importlib.import_module(f"ls_tf.reports.{report}")
    clock = Clock()
    module.build = clock.timed("building", module.build)  # type: ignore[attr-defined]
    for name in ("_provenance", "_files"):
        setattr(builder, name, clock.timed("drawing", getattr(builder, name)))
    builder._write = clock.timed("writing", builder._write)  # type: ignore[attr-defined]
    home, name = _command()
    setattr(home, name, clock.timed("all", getattr(home, name), whole=True))
    said = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        words = ["", f"--report={report}", f"--runs_dir={runs_dir}"]
        code = cli.main([*words, f"--reports_dir={folder}"])
    seconds = clock.seconds
    # What is neither of the others: the runs that are needed, the parts that
    # they name, their digests, and their records.
    seconds["resolving"] = seconds.pop("all") - sum(
        seconds.get(phase, 0.0) for phase in ("building", "drawing", "writing")
    )
    print(
        json.dumps({"code": code, "parsed": clock.parsed, "seconds": seconds})
    )


if __name__ == "__main__":
    main()
