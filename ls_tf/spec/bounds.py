"""The largest numbers that a specification may hold.

They are far above what any study needs and far below what would fill a
machine's memory or overflow a counter: a slip of the keyboard is refused in
one line before anything is built.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ls_tf.spec.experiment import ExperimentSpec
from ls_tf.spec.values import SpecError

STEPS = 2**31 - 1  # engines count steps in 32 bits
RUNS = 10_000  # of one stack

_TRAIN = {
    "steps": STEPS,
    "epochs": 1_000_000,
    "global_batch_size": 2**24,
    "global_batch_tokens": 2**28,
}
_DATA = {"vocabulary_size": 2**24, "max_length": 2**20}
_OPTION = 1_000_000
_DEEP = 10_000  # layers or blocks
_PAIR = 2**33  # entries of the largest matrix that two widths can make
_ITEMS = 10_000  # of a list
_BEAMS = 1_000
_HOT = 1e6
_FAR = 3e38  # of any other number: as far as single precision goes
_NEAR = 1.2e-38  # nearer to 0 is 0 there
_BELOW_1 = 1 - 2**-25  # from here on it is 1 there
# Parts of a whole, by what their names hold.
_SHARES = ("dropout", "momentum", "dampening", "beta_")


def _refuse_more(path: str, value: Any, most: float) -> None:
    if value is not None and value > most:
        raise SpecError(f"{path}: wanted {most} or less, got {value}")


def _refuse_lost(path: str, value: float) -> None:
    """Refuses a number that is 0 in single precision, and is not meant so."""
    if 0 < abs(value) < _NEAR:
        raise SpecError(f"{path}: wanted 0, or {_NEAR} or more, got {value}")


def _whole(value: Any, path: str) -> Iterator[int]:
    """The whole numbers of an option; refuses an endless list."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple):
        if len(value) > _ITEMS:
            raise SpecError(
                f"{path}: wanted {_ITEMS} values or fewer, got {len(value)}"
            )
        for item in value:
            yield from _whole(item, path)
    elif isinstance(value, int):
        yield value


def _check_options(path: str, options: Mapping[str, Any]) -> list[int]:
    """Refuses options that are too large; gives their whole numbers."""
    numbers = []
    for name, value in options.items():
        where = f"{path}.options.{name}"
        most = _OPTION
        if "layers" in name or "blocks" in name:
            most = _DEEP
        elif "beam" in name:
            most = _BEAMS
        for number in _whole(value, where):
            _refuse_more(where, number, most)
            numbers.append(number)
    return numbers


def _floats(value: Any, path: str) -> Iterator[tuple[str, float]]:
    """The numbers of an option that are no whole ones, with their places."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _floats(item, f"{path}.{name}")
    elif isinstance(value, tuple):
        for item in value:
            yield from _floats(item, path)
    elif isinstance(value, float):
        yield path, value


def _check_floats(path: str, options: Mapping[str, Any]) -> None:
    """Refuses shares that are none, and numbers far from all use."""
    for where, value in _floats(options, path):
        _refuse_lost(where, value)
        name = where.rpartition(".")[2]
        if any(word in name for word in _SHARES):
            least = 0 if "dropout" in name else -1
            if not least <= value <= 1:
                raise SpecError(f"{where}: wanted {least} to 1, got {value}")
        elif abs(value) > _FAR:
            raise SpecError(
                f"{where}: wanted {-_FAR:g} to {_FAR:g}, got {value}"
            )


def _check_widths(numbers: Iterable[int]) -> None:
    """Refuses two layers between which no memory would hold the weights."""
    first, second = sorted([1, 1, *numbers])[-2:]
    if first * second > _PAIR:
        raise SpecError(
            f"model.options: wanted sizes whose product is {_PAIR} or less, "
            f"got {second} and {first}"
        )


def check_steps(steps: int) -> None:
    """Refuses more steps than engines count, of many epochs.

    Args:
        steps: of the whole run.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    if steps > STEPS:
        raise SpecError(
            f"train.epochs: wanted {STEPS} steps or fewer, got {steps}"
        )


def check_bounds(spec: ExperimentSpec) -> None:
    """Refuses numbers that no machine can do.

    Args:
        spec: an experiment whose fields have the right types.

    Raises:
        SpecError: one line: the field, what was wanted, what came.

    Source: ours.
    """
    for name, most in _TRAIN.items():
        _refuse_more(f"train.{name}", getattr(spec.train, name), most)
    for name, most in _DATA.items():
        _refuse_more(f"data.{name}", getattr(spec.data, name), most)
    for name in (
        *("loss_scale", "auxiliary_weight"),
        *("weight_decay", "clip_global_norm"),
    ):
        _refuse_more(f"train.{name}", getattr(spec.train, name), _FAR)
        _refuse_lost(f"train.{name}", getattr(spec.train, name))
    _refuse_more("learning_rate", spec.learning_rate, _FAR)
    _refuse_lost("learning_rate", spec.learning_rate)
    _refuse_lost("alpha", spec.train.alpha)
    if spec.train.ema_momentum >= _BELOW_1:  # It would stay at the beginning.
        raise SpecError(
            f"train.ema_momentum: wanted less than {_BELOW_1}, got "
            f"{spec.train.ema_momentum}"
        )
    _check_widths(_check_options("model", spec.model.options))
    for name in ("model", "optimizer", "schedule"):
        _check_floats(f"{name}.options", getattr(spec, name).options)
    for i, evaluator in enumerate(spec.evaluators):
        _check_options(f"evaluators.{i}", evaluator.options)
        _check_floats(f"evaluators.{i}.options", evaluator.options)
    if spec.teacher is not None:
        _refuse_more("teacher.beam_size", spec.teacher.beam_size, _BEAMS)
        _refuse_more("teacher.extra_length", spec.teacher.extra_length, _OPTION)
        _refuse_more(
            "teacher.length_penalty", spec.teacher.length_penalty, _FAR
        )
        _refuse_lost("teacher.length_penalty", spec.teacher.length_penalty)
        for name in ("teacher_temperature", "student_temperature"):
            value = getattr(spec.teacher, name)
            _refuse_more(f"teacher.{name}", value, _HOT)
            if value < 1 / _HOT:
                raise SpecError(
                    f"teacher.{name}: wanted {1 / _HOT} or more, got {value}"
                )
