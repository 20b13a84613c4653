"""Networks beside each other, a row each, compared with the first one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ls_tf.pages import (
    declared,
    paired_bootstrap,
    projection,
    reliability,
    tables,
)
from ls_tf.pages.blocks import Block, Picture, ReportError, Table, Text
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import Claim, Column
from ls_tf.records.runs import Record

# Rows that pictures show; tables show all.
_DRAWN = 8


@dataclass(frozen=True)
class Row:
    """A network: what is said of it, and its runs by seed."""

    name: str
    runs: Mapping[int, Record]

    @property
    def first(self) -> Record:
        """The run of its lowest seed, which pictures show."""
        return self.runs[min(self.runs)]


@dataclass(frozen=True)
class _Measure:
    """A number that rows are compared by.

    Attributes:
        heading: of its column.
        word: of it in a sentence.
        places: (evaluator, scalar) where it may stand; the first that there
            is, is read.
        form: of its digits.
        unit: behind a difference; a number in "points" is shown in per cent.
    """

    heading: str
    word: str
    places: tuple[tuple[str, str], ...]
    form: str = ".4f"
    unit: str = ""

    def of(self, row: Row) -> dict[int, float]:
        """Reads it: seed -> value, of the seeds that have it."""
        values: dict[int, float] = {}
        factor = 100 if self.unit == "points" else 1
        for seed, record in row.runs.items():
            value = self._read(record)
            if value is not None:
                values[seed] = factor * value
        return values

    def _read(self, record: Record) -> float | None:
        for evaluator, name in self.places:
            if _has(record, evaluator):
                scalars = record.measurement(evaluator, "report")["scalars"]
                if name in scalars:
                    return float(scalars[name])
        return None


def _image(name: str) -> tuple[tuple[str, str], ...]:
    return ("reliability", name), ("classification", name)


def _token(name: str) -> tuple[tuple[str, str], ...]:
    return (("token_calibration", name),)


_T = "temperature"
_TRANSLATED = "translation"
_OF_IMAGES = (
    _Measure("accuracy, %", "accuracy", _image("accuracy"), ".2f", "points"),
    _Measure("NLL", "NLL", _image("nll")),
    _Measure("ECE", "ECE", _image("ece")),
    _Measure("T", "", (("reliability", _T),), ".3f"),
    _Measure("NLL at T", "NLL at T", (("reliability", "nll_scaled"),)),
    _Measure("ECE at T", "ECE at T", (("reliability", "ece_scaled"),)),
)
_OF_TEXT = (
    _Measure("BLEU", "BLEU", ((_TRANSLATED, "bleu"),), ".2f"),
    _Measure("NLL", "NLL of a subword", _token("nll")),
    _Measure("ECE", "ECE of subwords", _token("ece")),
    _Measure("T", "", _token(_T), ".3f"),
    _Measure("NLL at T", "NLL of a subword at T", _token("nll_scaled")),
    _Measure("ECE at T", "ECE of subwords at T", _token("ece_scaled")),
)


@dataclass(frozen=True)
class _Kind:
    """What is measured of the networks of a task."""

    measures: tuple[_Measure, ...]
    diagram: str  # evaluator of the reliability diagram
    plane: str  # evaluator of the projection
    units: str  # what is counted
    classes: str  # what the last layer tells apart
    unmoved: str  # what T does not change
    caption: str  # of what the numbers are


_IMAGES = _Kind(
    _OF_IMAGES,
    "reliability",
    "penultimate",
    "images",
    "classes",
    "changes no answer",
    "",
)
_TEXT = _Kind(
    _OF_TEXT,
    "token_calibration",
    "token_projection",
    "subwords",
    "subwords",
    "has no part in BLEU",
    " NLL and ECE are of the next subword, given the right ones before it.",
)


def kind_of_task(run: Mapping[str, Any]) -> str:
    """What a record's task gives: "translation" or "classification"."""
    is_text = run["spec"].get("task") == "translation"
    return "translation" if is_text else "classification"


def check(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuses rows of different tasks.

    Args:
        rows: what each is called, and its ``run.json``.

    Raises:
        ReportError: one line.

    Source: ours.
    """
    first, task = rows[0][0], kind_of_task(rows[0][1])
    for name, run in rows:
        if kind_of_task(run) != task:
            raise ReportError(
                f"wanted runs of one task to compare, got {first} "
                f"({task}) and {name} ({kind_of_task(run)})"
            )


def blocks(rows: Sequence[Row]) -> Iterable[Block]:
    """What the page of some networks says.

    Args:
        rows: of one task; the first is what the others are compared with.

    Yields:
        Block: words, the numbers, what differs, reliability, the last layer.

    Source: ours; the measures of Mueller et al. 2019.
    """
    run = rows[0].first.run
    check([(row.name, row.first.run) for row in rows])
    kind = _TEXT if kind_of_task(run) == "translation" else _IMAGES
    measures = [m for m in kind.measures if any(map(m.of, rows))]
    yield Text(_introduction(rows, kind))
    yield _scores(rows, measures, kind)
    if len(rows) > 1:
        yield _differences(rows, measures)
    if any(len(row.runs) > 1 for row in rows):
        yield _by_seed(rows, measures)
    yield from _translations(rows)
    yield from _reliability(rows, kind)
    yield from _planes(rows, kind)


def _introduction(rows: Sequence[Row], kind: _Kind) -> str:
    counts = sorted({_seeds(row) for row in rows})
    seeds = ", ".join(dict.fromkeys(counts))
    several = (
        f" The others are compared with the first row, “{rows[0].name}”."
        if len(rows) > 1
        else ""
    )
    splits = dict.fromkeys(_split(row.first, kind) for row in rows)
    return (
        f"{tables.counted(len(rows), 'network')}, {seeds} each, measured on "
        f"{'; '.join(splits)}.{several} A number over several seeds is their "
        "mean. T, one number that divides the logits, is fitted on the split "
        f"that the runs below name “calibrate”, and {kind.unmoved}."
    )


def _seeds(row: Row) -> str:
    return tables.counted(len(row.runs), "seed")


def _split(record: Record, kind: _Kind) -> str:
    """The data of the numbers in words."""
    data = record.run["spec"]["data"]
    words = f"{data['name']} {data['report']}"
    for evaluator, _ in (p for m in kind.measures for p in m.places):
        if _has(record, evaluator):
            count = record.measurement(evaluator, "report")["count"]
            units = "sentences" if evaluator == _TRANSLATED else kind.units
            return f"{words}, {count:,} {units}"
    return words


def _mean(measure: _Measure) -> Column[Row]:
    return (
        measure.heading,
        lambda row: tables.mean(measure.of(row).values()),
        measure.form,
    )


def _signatures(rows: Sequence[Row]) -> str:
    """How sacreBLEU scored the translations, for a caption."""
    ways = dict.fromkeys(
        record.measurement(_TRANSLATED, "report").get("notes", {}).get("bleu")
        for row in rows
        for record in row.runs.values()
        if _has(record, _TRANSLATED)
    )
    signed = " or ".join(filter(None, ways))
    return f" BLEU is cased, sacreBLEU's {signed}." if signed else ""


def _scores(
    rows: Sequence[Row], measures: Iterable[_Measure], kind: _Kind
) -> Table:
    return declared.table(
        "scores",
        "Means over the seeds. NLL in nats, ECE as a fraction over bins of "
        "equal width; “at T”: with the logits divided by T."
        f"{kind.caption}{_signatures(rows)}{_at_bound(rows, kind)}",
        rows,
        ("network", lambda row: row.name, ""),
        ("seeds", lambda row: len(row.runs), ""),
        *map(_mean, measures),
    )


def _at_bound(rows: Sequence[Row], kind: _Kind) -> str:
    """Names the networks whose T ended where the search does, for a caption."""
    measure = _Measure("", "", ((kind.diagram, "temperature_at_bound"),))
    found = [row.name for row in rows if any(measure.of(row).values())]
    if not found:
        return ""
    return (
        f" A T of {'; '.join(found)} is a bound of the search: the NLL still "
        "falls there, as it does where no answer is wrong."
    )


def _by_seed(rows: Sequence[Row], measures: Sequence[_Measure]) -> Table:
    each = [(row, seed) for row in rows for seed in sorted(row.runs)]

    def column(measure: _Measure) -> Column[tuple[Row, int]]:
        return (
            measure.heading,
            lambda one: measure.of(one[0]).get(one[1]),
            measure.form,
        )

    return declared.table(
        "by_seed",
        "The same, seed by seed.",
        each,
        ("network", lambda one: one[0].name, ""),
        ("seed", lambda one: one[1], ""),
        *map(column, measures),
    )


def _differences(rows: Sequence[Row], measures: Iterable[_Measure]) -> Text:
    """Says of each number by how much a row differs from the first."""
    base, *others = rows
    lines = tuple(
        line
        for row in others
        for measure in measures
        if measure.word
        if (line := _difference(measure, base, row))
    )
    is_alone = any(len(row.runs) < 2 for row in rows)
    noise = "One seed cannot tell a difference from the noise of training."
    body = noise if is_alone else ""
    return Text(
        body if lines else "No number was measured of two networks.",
        "What differs",
        lines,
    )


def _difference(measure: _Measure, base: Row, row: Row) -> str:
    """By how much a row differs from another, in words; "" for not at all.

    Args:
        measure: of what.
        base: the row that is compared with.
        row: the other one.

    Returns:
        str: direction, difference, in how many seeds, interval.

    Source: ours.
    """
    before, after = measure.of(base), measure.of(row)
    if not before or not after:
        return ""
    start = f"{row.name} against {base.name}: {measure.word}"
    unit = f" {measure.unit}" if measure.unit else ""
    form = measure.form
    shared = Claim("", before, after)
    if shared.rise is None:
        apart = (tables.mean(after.values()) or 0) - (
            tables.mean(before.values()) or 0
        )
        return (
            f"{start}: the means differ by {_signed(apart, form)}"
            f"{unit}; they have no seed in common."
        )
    if shared.rise != shared.rise:  # a number is not defined
        return f"{start}: not defined for every seed."
    if shared.rise == 0:
        return f"{start} is the same on average."
    is_higher = shared.rise > 0
    claim = shared if is_higher else Claim("", after, before)
    seeds = f"in {claim.seeds_for} of {tables.counted(claim.seeds, 'seed')}"
    word = "higher" if is_higher else "lower"
    rise = _signed(float(shared.rise), form)
    return (
        f"{start} is {word}: difference {rise}{unit} {seeds}"
        f"{_interval(shared, form)}."
    )


def _interval(claim: Claim[str], form: str) -> str:
    low, high = claim.interval.low, claim.interval.high
    if low is None or high is None or claim.apart is None:
        return ""
    noise = ", within noise" if claim.apart.is_noise else ""
    return (
        " (Student's 95 % interval over the seeds: "
        f"{_signed(low, form)} to {_signed(high, form)}{noise})"
    )


def _signed(value: float, form: str) -> str:
    """A difference with its sign; a tiny one is not shown as 0."""
    shown = tables.cell(value, f"+{form}")
    is_hidden = value and not any(digit in shown for digit in "123456789")
    return tables.cell(value, "+.1g") if is_hidden else shown


def _translations(rows: Sequence[Row]) -> Iterable[Block]:
    """Tests the translations of the other rows against the first one's."""
    kinds = [
        (row.name, {s: r for s, r in row.runs.items() if _has(r, _TRANSLATED)})
        for row in rows
    ]
    kinds = [(name, runs) for name, runs in kinds if runs]
    if len(kinds) > 1:
        yield from paired_bootstrap.blocks(
            paired_bootstrap.against_first(kinds), ("bleu",)
        )


def _left_out(count: int) -> str:
    return f" The first {_DRAWN} of {count} networks." if count > _DRAWN else ""


def _reliability(rows: Sequence[Row], kind: _Kind) -> Iterable[Block]:
    having = [r for r in rows if _has(r.first, kind.diagram)]
    panels = []
    for row in having[:_DRAWN]:
        arrays = row.first.arrays(
            kind.diagram,
            "report",
            reliability.forms() | reliability.forms("_scaled"),
        )
        t = row.first.scalars(kind.diagram, "report")[_T]
        scaled = Panel(f"the same at T = {t:.3g}", arrays, "_scaled")
        panels += [Panel(row.name, arrays), scaled]
    if not panels:
        return
    yield Text(
        "A network is calibrated if it is right in 90 of 100 cases of which it "
        "is 90 % sure. Bars below the dashed line are answers given too "
        "surely, bars above it too shyly. The expected calibration error (ECE) "
        "is the mean gap.",
        "Does it know what it knows?",
    )
    yield Picture(
        reliability.reliability_figure(panels, columns=2),
        "reliability",
        f"Reliability diagrams, {_lowest(having[:_DRAWN])}; empty bins are "
        f"left out. Underneath, how many examples, {kind.units}, each bin "
        f"rests on (logarithmic).{_left_out(len(having))}",
    )


def _lowest(rows: Sequence[Row]) -> str:
    seeds = sorted({min(row.runs) for row in rows})
    return f"seed {', '.join(map(str, seeds))}"


def _has(record: Record, evaluator: str, role: str = "report") -> bool:
    """Whether a run was measured so: what it asks for, a finished run has.

    Where its file is lost, reading it says so, and no mean goes without it.
    """
    asked = record.run["spec"]["evaluators"]
    return f"{evaluator}_{role}" in record.existing() or any(
        (e["name"], e["role"]) == (evaluator, role) for e in asked
    )


def _planes(rows: Sequence[Row], kind: _Kind) -> Iterable[Block]:
    """Draws the last layer; networks on other classes have their own plane."""
    having: dict[tuple[str, tuple[int, ...]], list[tuple[Row, Any]]] = {}
    for row in rows:
        for role in ("report", "calibrate"):
            if _has(row.first, kind.plane, role):
                arrays = row.first.arrays(
                    kind.plane, role, projection.forms(role)
                )
                key = role, tuple(arrays["classes"].tolist())
                having.setdefault(key, []).append((row, arrays))
                break
    if not having:
        return
    yield Text(
        "The vector before the last layer, seen in the plane of three "
        f"{kind.classes}' weights. Look at how tight the clusters are, and "
        "whether they form a regular triangle.",
        "What happens inside",
    )
    for number, ((role, classes), drawn) in enumerate(having.items()):
        shown = drawn[:_DRAWN]
        of = [row for row, _ in shown]
        words = _words(of, kind, role)
        called = ", ".join(words.get(c, f"class {c}") for c in classes)
        yield Picture(
            projection.projection_figure(
                [Panel(row.name, arrays) for row, arrays in shown],
                {"train": "training split", role: f"{role} split"},
                words,
            ),
            f"penultimate_{number + 1}" if number else "penultimate",
            f"Of {called}, {_lowest(of)}; crosses are the templates, the "
            "weights of these in the last layer. The axes of a row are the "
            f"same.{_left_out(len(drawn))}",
        )


def _words(rows: Iterable[Row], kind: _Kind, role: str) -> dict[int, str]:
    """The subwords of a Transformer's plane: id -> text."""
    found = {}
    for row in rows:
        notes = row.first.measurement(kind.plane, role).get("notes", {})
        for name, piece in notes.items():
            number = name.removeprefix("token_")
            if number.isdecimal():
                found[int(number)] = str(piece).lstrip("▁")
    return found
