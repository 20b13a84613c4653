"""What the JSON of a record must hold: fields, and the kind of each.

A record is checked once, when it is read; whoever has it then may rely on the
fields that stand here. Further fields are let alone.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from etils.epath import Path

from ls_tf.records.files import RunError

_SHOWN = 60  # characters of a wrong value
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Kind:
    """A kind of value: what it is called, and what is wrong with one.

    ``wrong`` gives the place below the value, "" for itself, the words for
    what is wanted there and for what came; None if all is well.
    """

    words: str
    wrong: Callable[[Any], "_Fault | None"]


_Fault = tuple[str, str, str]


def shown(value: Any) -> str:
    """A value in few words, for messages."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _plain(words: str, accepts: Callable[[Any], bool]) -> Kind:
    return Kind(
        words,
        lambda value: None if accepts(value) else ("", words, shown(value)),
    )


def _is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) is float or _is_whole(value)


TEXT = _plain("text", lambda v: isinstance(v, str))
FLAG = _plain("true or false", lambda v: isinstance(v, bool))
WHOLE = _plain("a whole number", _is_whole)
COUNT = _plain(
    "a whole number from 0 on", lambda v: _is_whole(v) and bool(v >= 0)
)
NUMBER = _plain("a number", _is_number)  # NaN where a ratio has no value
SECONDS = _plain(
    "a number from 0 on", lambda v: _is_number(v) and 0 <= v < math.inf
)
MAPPING = _plain("names and values", lambda v: isinstance(v, dict))


def _words(values: tuple[str, ...]) -> Kind:
    return _plain(f"one of {', '.join(values)}", lambda v: v in values)


def optional(kind: Kind) -> Kind:
    """Also null."""
    return Kind(
        f"{kind.words} or null",
        lambda value: None if value is None else kind.wrong(value),
    )


def listed(kind: Kind) -> Kind:
    """A list of a kind."""

    def wrong(value: Any) -> _Fault | None:
        if not isinstance(value, list):
            return "", f"a list, each {kind.words}", shown(value)
        for place, item in enumerate(value):
            if fault := kind.wrong(item):
                return f".{place}{fault[0]}", *fault[1:]
        return None

    return Kind(f"a list, each {kind.words}", wrong)


def named(kind: Kind) -> Kind:
    """Names, each with a value of a kind."""

    def wrong(value: Any) -> _Fault | None:
        if not isinstance(value, dict):
            return "", f"names, each with {kind.words}", shown(value)
        for name, item in value.items():
            if fault := kind.wrong(item):
                return f".{name}{fault[0]}", *fault[1:]
        return None

    return Kind(f"names, each with {kind.words}", wrong)


def fields(needed: Mapping[str, Kind], **others: Kind) -> Kind:
    """Named fields, those that must be there and those that may."""

    def wrong(value: Any) -> _Fault | None:
        if not isinstance(value, dict):
            return "", "fields", shown(value)
        for name, kind in {**needed, **others}.items():
            if name not in value:
                if name in needed:
                    return f".{name}", kind.words, "nothing"
            elif fault := kind.wrong(value[name]):
                return f".{name}{fault[0]}", *fault[1:]
        return None

    return Kind("fields", wrong)


OUTCOMES = ("running", "trained", "finished", "stopped", "failed", "lost")
_GIT = optional(fields({}, commit=optional(TEXT), dirty=optional(FLAG)))
_PROCESS: Mapping[str, Kind] = {
    "command": listed(TEXT),
    "git": _GIT,
    "sources": TEXT,
    "micro_batches": COUNT,
    "deterministic": FLAG,
    "surroundings": MAPPING,
    "weights": fields({"file": TEXT, "sha256": TEXT}),
    "versions": named(optional(TEXT)),
    "engine": TEXT,
    "backend": TEXT,
    "strategy": TEXT,
    "replicas": COUNT,
    "networks": COUNT,
    "precision": TEXT,
    "devices": listed(TEXT),
    "device_kind": optional(TEXT),
    "host_cpus": optional(COUNT),
}
_SPEC = fields(
    {
        "data": fields(
            {"name": TEXT, "train": TEXT, "calibrate": TEXT, "report": TEXT}
        ),
        "evaluators": listed(fields({"name": TEXT, "role": TEXT})),
    }
)
# What is used of a split and what is left out of it, by reason.
_USED = fields(
    {"examples": COUNT, "left_out": named(COUNT)},
    wanted=COUNT,
    learnt=COUNT,
    relabelled=COUNT,
    unfinished=COUNT,
    class_counts=listed(COUNT),
    sha256=TEXT,
    sampled_sha256=TEXT,
)
RUN = fields(
    {
        "experiment": TEXT,
        "changes": MAPPING,
        "smoke": FLAG,
        "seed": WHOLE,
        "digest": TEXT,
        "spec": _SPEC,
        "started": TEXT,
        "outcome": _words(OUTCOMES),
        "step": COUNT,
        "history": listed(fields({"started": TEXT}, **_PROCESS)),
    },
    **_PROCESS,
    indexed=FLAG,
    data=named(_USED),
    ended=optional(TEXT),
    reason=TEXT,
    steps=COUNT,
    train_seconds=SECONDS,
    eval_seconds=SECONDS,
    steps_per_second=SECONDS,
)
MEASUREMENT = fields(
    {
        "evaluator": TEXT,
        "role": TEXT,
        "split": TEXT,
        "step": COUNT,
        "count": COUNT,
        "digest": TEXT,
        "measured": TEXT,
        "git": _GIT,
        "scalars": named(NUMBER),
    },
    notes=named(TEXT),
)


def check(
    content: Mapping[str, Any], kind: Kind, file: Path, what: str
) -> None:
    """Refuses JSON that has not the fields of its kind.

    Args:
        content: what was read.
        kind: what it must be.
        file: its name, for messages.
        what: what it should be, for messages.

    Raises:
        RunError: one line that names the field, what is wanted there and what
            came.

    Source: ours.
    """
    fault = kind.wrong(content)
    if fault is not None:
        place, wanted, got = fault
        field = " ".join(place.lstrip(".").split())[:_SHOWN]
        raise RunError(
            f"{file} is no {what}: field {field}: wanted {wanted}, got {got}"
        )
