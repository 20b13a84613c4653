"""From the arrays of one or two networks to a verdict on them."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from etils.epath import Path

from ls_tf import geometry
from ls_tf.records.local import is_there
from ls_tf.verdict import inputs, judgement, rows
from ls_tf.verdict.inputs import InputError
from ls_tf.verdict.measures import Measured, Numbers, all_numbers

Arrays = str | os.PathLike[str] | Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        numbers: "hard", "smoothed" or "difference" (smoothed less hard) ->
            name -> Estimate (``value``, ``low``, ``high``).
        changes: what smoothing did, one sentence each; none of one network.
        teachers: network -> ("yes", "no" or "cannot be said"; a sentence).
        table: all numbers as text.
        page: the path of the page, None if none was wanted.
    """

    numbers: Numbers
    changes: tuple[str, ...]
    teachers: Mapping[str, tuple[str, str]]
    table: str
    page: str | None

    def __str__(self) -> str:
        """The sentences and the table."""
        lines = [f"{line}." for line in self.changes]
        lines += [
            f"May the {name} network serve as a teacher? {answer}: {reason}."
            for name, (answer, reason) in self.teachers.items()
        ]
        return "\n".join([*lines, "", self.table])


def analyze(
    hard: Arrays | None = None,
    smoothed: Arrays | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    classes: Sequence[int] | None = None,
    order: geometry.Order | None = None,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Says what smoothing did to a network, and which network may teach.

    A network is a file of ``numpy.savez``, or arrays by name, of any
    framework: ``logits`` [N, K] (or ``probabilities``) and ``labels`` [N]; if
    there are any the ``features`` [N, D] that the last layer multiplies, its
    ``weights`` [D, K] or [K, D] and its ``bias`` [K]. Where both have the same
    labels in the same order, their differences are those of pairs.

    Calibration "at the fitted temperature" is that of examples that the
    temperature was not fitted on: each half of them is divided by that of the
    other half. Intervals are basic bootstrap intervals over examples, which
    take off the bias that drawing again adds to a binned error: such a number
    may lie outside its own. They do not say how other seeds would differ.

    How "may serve as a teacher" is judged: by the information that its logits
    hold on classes other than its answer. Where the network is wrong, its
    answer is taken away; what is left of its softmax, at the temperature of
    least NLL of the other half of these examples, is a forecast of the label
    among the K - 1 other classes. The information is how much better that is
    than an even guess: log(K - 1) less its NLL, in nats. A network may serve if
    the interval of it lies above 0 and, where two are compared, the interval
    of the difference does not lie below 0; the temperature is that of least
    NLL. This is a statement on these examples, those that are answered
    wrongly: how much the targets of right answers teach is not measured, no
    student was trained, and a student learns from other examples.

    Args:
        hard: a network that was trained on hard labels.
        smoothed: one that was trained on smoothed labels; one of the two may
            be left out.
        out: a folder for the page, its table and its pictures; None for none.
        classes: three ids, for the projection; None for the first three.
        order: of the weights, where D is K; see ``ls_tf.geometry.kernel``.
        resamples: how often the examples are drawn again, 10 or more.
        level: of the intervals.
        seed: of the draws.

    Returns:
        Verdict.

    Raises:
        ValueError: no network, an array that is missing or not as above, or
            two networks of other numbers of classes; one line, and nothing is
            written. Also for a folder that cannot be written.

    Source: ours; the measures are those of the papers, see ``Verdict`` and
    docs/library.md. Mueller et al. 2019 find that smoothed teachers lose what
    their logits tell of other classes; Shen et al. 2021 that they may teach.
    """
    given = {"hard": hard, "smoothed": smoothed}
    if hard is None and smoothed is None:
        raise InputError("wanted the arrays of a hard or a smoothed network")
    networks = {
        name: inputs.network(name, arrays, order)
        for name, arrays in given.items()
        if arrays is not None
    }
    _check(list(networks.values()), classes, resamples, level)
    if out is not None:
        _check_folder(os.fspath(out))
    chosen = _classes(list(networks.values()), classes)
    measured = {n: Measured(a, chosen, seed) for n, a in networks.items()}
    numbers, is_pair = all_numbers(
        measured, resamples=resamples, level=level, seed=seed
    )
    changes = (
        judgement.changes(numbers, level, is_pair) if len(networks) == 2 else []
    )
    teachers = judgement.teachers(numbers, measured)
    table = rows.table(numbers, level)
    verdict = Verdict(numbers, tuple(changes), teachers, str(table), None)
    if out is None:
        return verdict
    from ls_tf.verdict import page

    path = page.write(
        os.fspath(out),
        measured=measured,
        rows=table,
        words=_paragraphs(verdict),
        seed=seed,
    )
    return dataclasses.replace(verdict, page=path)


def _paragraphs(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    """The sentences of the page: heading -> sentences."""
    words = {}
    if verdict.changes:
        words["What smoothing did"] = verdict.changes
    words["May it serve as a teacher?"] = tuple(
        f"{name}: {answer}; {reason}"
        for name, (answer, reason) in verdict.teachers.items()
    )
    return words


def _check(
    networks: Sequence[inputs.Network],
    classes: Sequence[int] | None,
    resamples: int,
    level: float,
) -> None:
    counts = [network.logits.shape[1] for network in networks]
    if len(set(counts)) > 1:
        raise InputError(
            f"wanted two networks of the same classes, got {counts[0]} in "
            f"{networks[0].source} and {counts[1]} in {networks[1].source}"
        )
    if not isinstance(resamples, int) or resamples < 10:
        raise InputError(f"wanted resamples of 10 or more, got {resamples}")
    if not 0 < level < 1:
        raise InputError(f"wanted a level in (0, 1), got {level}")
    if classes is not None:
        ids = list(classes)
        there = set(range(counts[0]))
        if len(ids) != 3 or len(set(ids)) != 3 or not set(ids) <= there:
            raise InputError(
                f"wanted three different classes from 0 to {counts[0] - 1}, "
                f"got {ids}"
            )


def _check_folder(out: str) -> None:
    """Refuses, before the work, a folder that cannot be one."""
    path = Path(out)
    for folder in (path, *path.parents):
        if is_there(folder) and not folder.is_dir():
            raise InputError(
                f"{out} cannot be written: {folder} is not a directory"
            )


def _classes(
    networks: Sequence[inputs.Network], classes: Sequence[int] | None
) -> tuple[int, ...]:
    """The classes of the projection: the first three that all have."""
    if classes is not None:
        return tuple(int(k) for k in classes)
    common = set.intersection(*(set(n.labels.tolist()) for n in networks))
    return tuple(sorted(common)[:3])
