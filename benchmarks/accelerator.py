"""The JAX engine on an accelerator: steps, forms of layers, stacks, decoding.

Needs JAX and Keras, no TensorFlow and no data: these are made up. Parts are
measured one after the other, and the record is written after each. Programs of
a group of parts are compiled side by side, and timed when nothing compiles.

Run: python benchmarks/accelerator.py --out=results/benchmarks
A rehearsal on the CPU, with tiny networks: --device=cpu
"""

import argparse
import contextlib
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _common
from _common import Target, Timing

if TYPE_CHECKING:
    from _accelerator import Case, Ready

# Compiled together, in order of importance.
GROUPS = (
    ("rates",),
    ("steps", "forms", "gap", "stacks"),
    ("decoding", "transformer", "lenet"),
)
PARTS = tuple(part for group in GROUPS for part in group)
DEFAULT = GROUPS[0] + GROUPS[1]
PRECISIONS = ("float32", "tensorfloat32", "bfloat16")
TRAINED = (
    ("alexnet_cifar10", "bfloat16"),
    ("alexnet_cifar10", "tensorfloat32"),
    ("resnet56_cifar10", "bfloat16"),
    ("fc_mnist", "float32"),
)
# Of these, both forms of the layers.
FORMED = (("alexnet_cifar10", "bfloat16"), ("resnet56_cifar10", "bfloat16"))
GAPS = (("fc_mnist", "float32"), ("alexnet_cifar10", "bfloat16"))
STACKS = {
    "stacks": ("fc_mnist", (1, 10, 30, 100)),
    "lenet": ("noise_mnist", (1, 8, 24)),
}
TRANSLATED = {
    "decoding": ("beam search", ("float32", "bfloat16")),
    "transformer": ("transformer", ("bfloat16",)),
}
WANTED_MS = {
    "alexnet_cifar10, bfloat16": 0.35,
    "resnet56_cifar10, bfloat16": 3.0,
    "fc_mnist, float32": 0.12,
}
WANTED_STACK = (30, 4.0)
_ROUNDS = 5  # of a rehearsal: one
_GAP_CALLS = 2
_RATE_SECONDS = 1.0  # at most: a product repeats itself
_RECORDS = _common.ROOT / "results" / "benchmarks"


def cases(part: str, own_form: str) -> list["Case"]:
    """The programs of a part; two parts may share some.

    Args:
        part: one of ``PARTS``.
        own_form: the form of layers that this device takes by itself.
    """
    from _accelerator import Case

    from ls_tf import kernels

    if part == "rates":
        return [Case("products", p) for p in PRECISIONS]
    if part == "steps":
        return [Case(*words) for words in TRAINED]
    if part == "forms":
        return [
            Case(*words, form=None if form == own_form else form)
            for words in FORMED
            for form in kernels.FORMS
        ]
    if part == "gap":
        return [Case(*words) for words in GAPS]
    if part in STACKS:
        experiment, sizes = STACKS[part]
        return [Case(experiment, "float32", n) for n in sizes]
    what, precisions = TRANSLATED[part]
    return [Case(what, p) for p in precisions]


class Bench:
    """What is ready, what was measured, and where it is written."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Opens the device.

        Args:
            flags: of ``main``.
        """
        from _accelerator import device, load

        from ls_tf import kernels

        self._flags = flags
        self._rounds = 1 if flags.rehearse else _ROUNDS
        self._began = time.perf_counter()
        self.about = _common.machine() | device()
        self._own_form = kernels.FORMS[kernels.fused()]
        load({name for name, _ in (*TRAINED, *STACKS.values())})
        self._ready: dict[str, Ready] = {}
        self._timings: dict[str, Timing] = {}
        self._results: dict[str, Any] = {"programs": {}, "phases": {}}
        self._skipped: dict[str, str] = {}
        self._targets: list[Target] = []

    # --- Phases -------------------------------------------------------------

    def group(self, parts: Sequence[str]) -> None:
        """Compiles the programs of some parts, then measures part by part.

        Args:
            parts: of ``PARTS``.
        """
        if not parts or not self._in_time(parts):
            return
        with _phase(self._results["phases"], f"compiling {', '.join(parts)}"):
            self._compile(parts)
        self.save()
        for part in parts:
            if not self._in_time([part]):
                continue
            try:
                with _phase(self._results["phases"], part):
                    self._measure(part)
            except Exception as error:  # Out of memory, and what else is.
                self._skip(part, error)
            self.save()

    def _skip(self, name: str, error: Exception) -> None:
        """Notes what could not be done; the rest is measured all the same."""
        line = " ".join(str(error).split())[:300]
        self._skipped[name] = f"{type(error).__name__}: {line}"
        _common.say(f"{name}: {self._skipped[name]}")

    def _in_time(self, parts: Sequence[str]) -> bool:
        """Whether the whole run's time is not over; else says so."""
        limit = self._flags.limit
        over = bool(limit) and time.perf_counter() - self._began > limit
        if over:
            why = f"not begun within {limit:g} s"
            self._skipped |= dict.fromkeys(parts, why)
        return not over

    def _compile(self, parts: Sequence[str]) -> None:
        from _accelerator import ready

        wanted = {
            case.name: case
            for part in parts
            for case in cases(part, self._own_form)
            if case.name not in self._ready
        }
        tiny = self._flags.rehearse
        with ThreadPoolExecutor(self._flags.jobs) as pool:
            futures = {
                name: pool.submit(ready, case, tiny)
                for name, case in wanted.items()
            }
            for name, future in futures.items():
                try:
                    made = future.result()
                except Exception as error:  # Compilers raise anything.
                    self._skip(name, error)
                    continue
                self._ready[name] = made
                self._results["programs"][name] = made.record()

    def _measure(self, part: str) -> None:
        names = [
            case.name
            for case in cases(part, self._own_form)
            if case.name in self._ready
        ]
        if part == "gap":
            self._gaps(names)
            return
        found = self._timed(part, names)
        # Of a program in two parts, the record keeps what came first.
        self._timings = found | self._timings
        rows = self._results[part] = {
            k: self._row(k, t) for k, t in found.items()
        }
        if part == "forms":
            self._form_ratios(rows)
        if part in STACKS:
            self._stack_ratios(part, rows)
        _markdown(part, rows)
        if part == "steps":
            self._promise_steps(rows)

    def _timed(self, part: str, names: Sequence[str]) -> dict[str, Timing]:
        """Seconds per unit, in turn, until the part's time box is over."""
        total = self._flags.seconds
        if part == "rates":
            total = min(total, _RATE_SECONDS)
        each = total / self._rounds
        ends = time.perf_counter() + 5 + 2 * total * len(names)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for number in range(-1, self._rounds):
            for name in names:
                if number > 0 and time.perf_counter() > ends:
                    break
                took = _round(self._ready[name], each if number >= 0 else 0)
                if number >= 0:
                    seconds[name].append(took)
        _common.say(f"{part}: timed")
        return {name: Timing(tuple(took)) for name, took in seconds.items()}

    def _row(self, name: str, timing: Timing) -> dict[str, Any]:
        """What a program's seconds mean."""
        ready = self._ready[name]
        program = ready.program
        row = {
            "ms": timing.median * 1e3,
            "per_second": 1 / timing.median,
            "examples_per_second": program.examples / timing.median,
        }
        if program.flop:
            rate = program.flop / timing.median * 1e-12
            row["tflop_per_second"] = rate
            for product, at_best in self._results.get("rates", {}).items():
                if product.partition(", ")[2] in name.split(", "):
                    row["part_of_rate"] = rate / at_best["tflop_per_second"]
        row["building_s"], row["compiling_s"] = ready.building, ready.compiling
        return row

    def _stack_ratios(self, part: str, rows: dict[str, dict[str, Any]]) -> None:
        """Adds networks x steps per second, and how many times one's."""
        experiment, _ = STACKS[part]
        alone = rows.get(f"{experiment}, float32")
        for name, row in rows.items():
            networks = self._ready[name].program.networks
            rate = networks * row["per_second"]
            row["networks_x_steps_per_second"] = rate
            if alone is None:
                continue
            row["times_one"] = rate / alone["per_second"]
            if (part, networks) == ("stacks", WANTED_STACK[0]):
                what = f"fc_mnist: networks x steps of {networks} over one"
                self._promise(what, WANTED_STACK[1], row["times_one"])

    def _form_ratios(self, rows: dict[str, dict[str, Any]]) -> None:
        """Adds how many times the time of the device's own form each takes."""
        for name, row in rows.items():
            own = name.removesuffix(" form").rpartition(", ")[0]
            row["times_own_form"] = row["ms"] / rows.get(own, row)["ms"]

    def _gaps(self, names: Sequence[str]) -> None:
        """What a call takes beyond what the device needs for it."""
        rows = self._results["gap"] = {}
        for name in names:
            steps = self._ready[name].program.steps
            busy, whole = [], []
            for _ in range(self._rounds):
                busy.append(steps.device_seconds(_GAP_CALLS))
                began = time.perf_counter()
                for _ in range(_GAP_CALLS):
                    steps.run(steps.call_steps)
                whole.append((time.perf_counter() - began) / _GAP_CALLS)
            call, device = map(statistics.median, (whole, busy))
            rows[name] = {
                "call_ms": call * 1e3,
                "gap_ms": (call - device) * 1e3,
                "gap_of_100_ms": (call - device) / 0.1,
            }
        _markdown("gap", rows)

    # --- The record ---------------------------------------------------------

    def _promise_steps(self, rows: dict[str, dict[str, Any]]) -> None:
        for name, wanted in WANTED_MS.items():
            if name in rows:
                got = rows[name]["ms"]
                self._promise(f"{name}: ms a step", wanted, got, at_most=True)

    def _promise(
        self, name: str, wanted: float, got: float, *, at_most: bool = False
    ) -> None:
        """Keeps a target; a rehearsal promises nothing."""
        if not self._flags.rehearse:
            self._targets.append(Target(name, wanted, got, at_most))

    def save(self) -> None:
        """Writes what there is, if ``--out`` gives a folder."""
        from _accelerator import peak_memory_gib

        if self._flags.out is None:
            return
        flags = self._flags
        settings = {
            "parts": list(flags.parts),
            "seconds": flags.seconds,
            "jobs": flags.jobs,
            "limit": flags.limit,
            "rehearse": flags.rehearse,
            "compile_cache": "JAX_COMPILATION_CACHE_DIR" in os.environ,
        }
        made = _common.record(
            "accelerator",
            about=self.about,
            timings=self._timings,
            results=self._results | {"peak_memory_gib": peak_memory_gib()},
            targets=self._targets,
            skipped=self._skipped,
            settings=settings,
            others=_others(),
            commit_id=flags.commit,
        )
        _common.write(flags.out, made)

    def end(self) -> None:
        """Prints phases, targets and what was left out."""
        rows = {k: {"seconds": v} for k, v in self._results["phases"].items()}
        _markdown("phases", rows)
        for target in self._targets:
            print(target.line())
        for case, why in self._skipped.items():
            print(f"skipped: {case}: {why}")
        if self._flags.out is not None:
            print(self._flags.out / "accelerator.json")


@contextlib.contextmanager
def _phase(phases: dict[str, float], name: str) -> Iterator[None]:
    """Keeps the seconds of a phase, and says that it began."""
    _common.say(name)
    began = time.perf_counter()
    yield
    phases[name] = time.perf_counter() - began


def _round(ready: "Ready", seconds: float) -> float:
    """Whole calls for some seconds, one at least; seconds per unit."""
    units = 0
    began = time.perf_counter()
    while True:
        units += ready.program.call()
        took = time.perf_counter() - began
        if took >= seconds:
            return took / units


def _others() -> dict[str, str | None]:
    """Versions of what JAX runs on; only what there is."""
    found = _common.versions(
        "jaxlib",
        "jax-cuda13-plugin",
        "jax-cuda12-plugin",
        "nvidia-cudnn-cu13",
        "nvidia-cublas",
    )
    return {k: v for k, v in found.items() if v is not None}


def _markdown(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Prints a table."""
    if not rows:
        return
    heads = list(dict.fromkeys(k for row in rows.values() for k in row))
    lines = [[title, *(head.replace("_", " ") for head in heads)]]
    lines.append(["---"] * len(lines[0]))
    for name, row in rows.items():
        lines.append([name, *(_number(row.get(head)) for head in heads)])
    for line in lines:
        print(f"| {' | '.join(line)} |")
    print(flush=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{float(f'{value:.4g}'):,g}"


def _parts(text: str) -> tuple[str, ...]:
    wanted = PARTS if text == "all" else tuple(text.split(","))
    for part in wanted:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(
                f"wanted some of {','.join(PARTS)}, got '{part}'"
            )
    return wanted


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 3600:
        raise argparse.ArgumentTypeError(
            f"wanted seconds between 0 and 3600, got {text}"
        )
    return value


def _commit(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{7,40}", text):
        raise argparse.ArgumentTypeError(
            f"wanted 7 to 40 hexadecimal digits, got '{text}'"
        )
    return text


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", type=Path, help="folder for the record; default: none")
    add(
        "--parts",
        type=_parts,
        default=DEFAULT,
        help=f"some of {','.join(PARTS)}, or all; default: "
        + ",".join(DEFAULT),
    )
    add(
        "--seconds",
        type=_positive,
        default=3.0,
        help="of measuring, for each program",
    )
    add(
        "--limit",
        type=_positive,
        help="seconds after which no further part is begun",
    )
    add("--device", choices=["cpu"], help="cpu: a rehearsal, see --rehearse")
    add("--rehearse", action="store_true", help="tiny networks, no targets")
    add("--jobs", type=int, default=_common.cpus(), help="compiled at once")
    add("--commit", type=_commit, help="of this tree, where git is not there")
    flags = parser.parse_args(words)
    flags.rehearse |= flags.device == "cpu"
    if flags.jobs < 1:
        parser.error(f"--jobs: wanted 1 or more, got {flags.jobs}")
    _check_record(parser, flags)
    return flags


def _check_record(
    parser: argparse.ArgumentParser, flags: argparse.Namespace
) -> None:
    """Refuses a record that would not say what was measured."""
    here = _common.commit(_common.ROOT)
    if here and flags.commit and not here.startswith(flags.commit):
        parser.error(f"--commit={flags.commit}: git says {here}")
    if flags.out is None:
        return
    if flags.rehearse and flags.out.resolve() == _RECORDS:
        parser.error(f"--out: wanted no rehearsal in {flags.out}")
    if not here and not flags.commit:
        parser.error("wanted --commit=ID of this copy, git is not there")


def main(words: Sequence[str] | None = None) -> int:
    """Measures, prints and writes."""
    flags = _arguments(words)
    os.environ["KERAS_BACKEND"] = "jax"
    if flags.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    _common.start()
    bench = Bench(flags)
    if bench.about["platform"] == "cpu" and not flags.rehearse:
        print(
            "accelerator.py: wanted an accelerator, JAX found "
            f"{bench.about['device']}; --device=cpu rehearses",
            file=sys.stderr,
        )
        return 2
    bench.save()
    for group in GROUPS:
        bench.group([part for part in group if part in flags.parts])
    bench.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
