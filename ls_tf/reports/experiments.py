"""Every experiment: what it is, its source, its cost, and what was trained.

What stands in a module's docstring is read there; how many runs there are, how
long they took and on what is read from the records.

Source: ours.
Run: python run_experiment.py --report=experiments --runs_dir=results/runs
    --readme=docs/experiments.md
"""

import functools
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ls_tf import started
from ls_tf.pages import declared
from ls_tf.pages.blocks import Block, Need, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.networks import Network
from ls_tf.pages.tables import counted
from ls_tf.records.runs import Record
from ls_tf.spec import ExperimentSpec, registry
from ls_tf.spec.resolve import EXPERIMENTS, resolve

TITLE = "Experiments"
REQUIRES: tuple[Need, ...] = ()
READS_ALL = True

_REPORTS = "ls_tf.reports"
# With what the command in a docstring begins.
_PROGRAM = "python run_experiment.py"
# What of a model's options says how large it is.
_SIZES = ("hidden", "filters", "blocks", "widths", "layers")
# What makes a run cost more or less than its experiment: another length,
# other data, another network; but not what of the data is only relabelled.
_COSTS = (
    *("train.epochs", "train.steps", "train.global_batch"),
    *("data.", "model.name"),
    *(f"model.options.{name}" for name in _SIZES),
)
_FREE = ("data.label_kept", "data.label_transition", "data.noisy_labels")
_MOST_NAMED = 4  # settings that are named one by one


@dataclass(frozen=True)
class _Row:
    name: str
    spec: ExperimentSpec
    words: dict[str, str]  # of the docstring: "", "Source", "Cost", "Run"
    runs: dict[Need, Record]

    @property
    def is_short(self) -> bool:
        return Network("", self.name).is_short


def _words(name: str) -> dict[str, str]:
    """The docstring of an experiment by the words its paragraphs begin with."""
    text = registry.docstring(EXPERIMENTS, name)
    parts = re.split(r"(?m)^(Source|Cost|Run): ", text)
    found = {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))
    return {key: " ".join(words.split()) for key, words in found.items()}


def _data(row: _Row) -> str:
    data = row.spec.data
    name = data.name if not data.source else f"{data.name} ({data.source})"
    return f"{name}: trained on {data.train}, measured on {data.report}"


def _model(row: _Row) -> str:
    model = row.spec.model
    sizes = []
    for name in _SIZES:
        value = model.options.get(name)
        if isinstance(value, tuple):
            sizes.append(f"{name} {'-'.join(map(str, value))}")
        elif value is not None:
            sizes.append(f"{name} {value}")
    return ", ".join([model.name, *sizes])


def _length(row: _Row) -> str:
    train = row.spec.train
    length = (
        f"{train.steps:,} steps"
        if train.epochs is None
        else f"{train.epochs:g} epochs"
    )
    return f"{length}, shortened" if row.is_short else length


def _teacher(row: _Row) -> str | None:
    return None if row.spec.teacher is None else row.spec.teacher.experiment


@functools.cache
def _reports() -> dict[str, list[str]]:
    """Experiment -> the reports that show it."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in registry.names(_REPORTS):
        needs = registry.get(_REPORTS, name).REQUIRES
        for experiment in sorted({need.experiment for need in needs}):
            found[experiment].append(name)
    return found


def _shown(row: _Row) -> str | None:
    return ", ".join(_reports().get(row.name, ())) or None


def _setting(need: Need) -> str:
    changes = [f"{path}={value}" for path, value in need.changes.items()]
    return " ".join(changes) or "as declared"


def _status(row: _Row) -> str:
    """How many runs there are: of which settings, or of how many."""
    if not row.runs:
        return "not trained"
    seeds: dict[str, int] = defaultdict(int)
    for need in row.runs:
        seeds[_setting(need)] += 1
    alike: dict[int, list[str]] = defaultdict(list)
    for setting, count in seeds.items():
        alike[count].append(setting)
    words = [
        f"{counted(count, 'seed')}: {_settings(alike[count])}"
        for count in sorted(alike, reverse=True)
    ]
    length = "shortened" if row.is_short else "full length"
    return f"trained, {length}. {'; '.join(words)}"


def _settings(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMED:
        return f"{len(names)} settings"
    return ", ".join(sorted(names))


def _measured(row: _Row) -> str | None:
    """How long its runs took and on what; None without a run.

    Of networks that were trained together nobody knows each one's time: the
    program's is said, once for all of them, and how many they are.
    """
    seconds: dict[tuple[int, str], dict[object, float]] = defaultdict(dict)
    for need, record in row.runs.items():
        run = record.run
        is_whole = not any(
            path.startswith(_COSTS) and path not in _FREE
            for path in need.changes
        )
        if is_whole and run.get("train_seconds"):
            took = float(run["train_seconds"])
            together = int(run.get("networks") or 1)
            program = need if together == 1 else (run["started"], took)
            seconds[together, _device(record)][program] = took
    words = [
        f"{_together(together)}{_time(statistics.median(programs.values()))} "
        f"on {device} (median of "
        f"{counted(len(programs), 'run' if together == 1 else 'program')})"
        for (together, device), programs in sorted(seconds.items())
    ]
    return "; ".join(words) or None


def _together(networks: int) -> str:
    return "" if networks == 1 else f"{networks} networks in one program "


def _device(record: Record) -> str:
    """What a run was trained on: each device it went on with, once."""
    parts: Sequence[Mapping[str, Any]] = record.run.get("history") or ({},)
    devices = [_named({**record.run, **part}) for part in parts]
    return ", then ".join(dict.fromkeys(devices))


def _named(run: Mapping[str, Any]) -> str:
    kind = str(run.get("device_kind") or "a device that is not recorded")
    # The process may have been kept to some of the machine's processors.
    cores = run.get("surroundings", {}).get("cpus") or run.get("host_cpus")
    if kind.upper() == "CPU" and cores:
        return f"a CPU, {counted(cores, 'core')}"
    return kind


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else _hours(seconds)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"


def _rows(records: Records) -> list[_Row]:
    runs: dict[str, dict[Need, Record]] = defaultdict(dict)
    for need, record in records.items():
        runs[need.experiment][need] = record
    return [
        _Row(name, resolve(name).spec, _words(name), runs[name])
        for name in registry.names(EXPERIMENTS)
    ]


def _command(row: _Row) -> str:
    if not started.in_clone():  # nor is there a folder of flags
        return started.command([f"--experiment={row.name}"])
    command = row.words["Run"]
    return command.replace(_PROGRAM, " ".join(started.words()), 1)


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = _rows(records)
    trained = sum(bool(row.runs) for row in rows)
    yield Text(
        f"{counted(len(rows), 'experiment')}, of which {trained} have recorded "
        "runs here. What has none is declared, and its path is tested on small "
        "generated data of the same shapes; no number of it is claimed."
    )
    yield declared.table(
        "experiments",
        "Length: as declared; “shortened” is less than the source has, and "
        "its numbers are not to be compared with printed ones. Status: "
        "finished records of runs at that length, unless a setting says "
        "otherwise; seeds are of each setting.",
        rows,
        ("experiment", lambda row: row.name, ""),
        ("what it is", lambda row: row.words[""], ""),
        ("status", _status, ""),
        ("length", _length, ""),
        ("data", _data, ""),
        ("model", _model, ""),
        ("teacher", _teacher, ""),
        ("reports", _shown, ""),
    )
    yield declared.table(
        "sources",
        "Source and cost: the docstring of the experiment. Measured: training "
        "time of the recorded runs of the declared length and size; of "
        "networks in one program (--stack) that of all together.",
        rows,
        ("experiment", lambda row: row.name, ""),
        ("source, and what is printed", lambda row: row.words["Source"], ""),
        ("cost", lambda row: row.words.get("Cost"), ""),
        ("measured", _measured, ""),
        ("command", _command, ""),
    )
