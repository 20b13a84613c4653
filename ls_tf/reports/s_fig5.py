"""How students of a hard and of a smoothed teacher train.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains both teachers and their students on MNIST, three
seeds: 12 runs, about an hour and a half on two cores of a CPU; with
``--engine=jax`` two programs, one after the other.

Source: Shen et al. 2021, figure 5, whose data is CUB-200-2011, and the printed
tables 2 and 7.
Run: python run_experiment.py --report=s_fig5
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.pages import canvas, cifar, declared, networks, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, ReportError, Text
from ls_tf.pages.declared import ACCURACY, Claim, Records, Runs, or_no_run
from ls_tf.pages.distillation import teacher
from ls_tf.pages.networks import Network
from ls_tf.spec import Value, registry

TITLE = "How students of hard and smoothed teachers train"
PARTIAL = True

_ALPHAS = (0.0, 0.1)
_MNIST = Network("MNIST, fully connected", "fc_mnist_kl_student")
_CIFAR = Network("CIFAR-10 AlexNet", "alexnet_cifar10_kl_student_120th")
_NETWORKS = (_MNIST, _CIFAR)
_STYLES = {0.0: (canvas.BLUE, "-"), 0.1: (canvas.VERMILION, "--")}

_LOSS, _ACCURACY = "train/loss", "report/accuracy"


def _run(
    network: Network, alpha: float, *, taught: bool
) -> tuple[str, dict[str, Value]]:
    """The student of a teacher, or the teacher itself."""
    if not taught:
        return teacher(network.experiment, alpha)
    return network.experiment, {"teacher.changes.alpha": alpha}


_PAPER = quoted.numbers("s_fig5")
_PRINTED = tuple(dict.fromkeys(row for row, _ in _PAPER))


def _as_printed(row: str, column: tuple[str, float]) -> object:
    who, alpha = column
    return _PAPER[row, f"{who}, {alpha}"]


def printed(row: str) -> Claim[str]:
    """The printed students of a hard and of a smoothed teacher, top-1, %."""
    hard, smoothed = (float(_PAPER[row, f"student, {a}"]) for a in _ALPHAS)
    return Claim(row, {0: hard}, {0: smoothed})


_WORDS = {False: "teacher", True: "its student"}
REQUIRES = tuple(
    Need(
        *_run(network, alpha, taught=taught),
        seed,
        optional=network is not _MNIST,
        row=f"{network.label}, {words}, alpha = {alpha:g}",
    )
    for network in _NETWORKS
    for seed in networks.SEEDS
    for taught, words in _WORDS.items()
    for alpha in _ALPHAS
)

Curve = Mapping[int, float]  # step -> value


@dataclass(frozen=True)
class _Students:
    """The students of a network's teachers at one alpha."""

    network: Network
    alpha: float
    teachers: Runs
    runs: Runs

    @property
    def scale(self) -> float:
        """What the loss is multiplied by in training."""
        experiment = registry.get("ls_tf.experiments", self.network.experiment)
        return float(experiment.SPEC.train.loss_scale)

    def curves(self, name: str) -> dict[int, Curve]:
        """Seed -> curve of the loss, nats, or of the accuracy, %."""
        factor = 1 / self.scale if name == _LOSS else 100
        return {
            seed: {s: factor * value for s, value in r.curve(name).items()}
            for seed, r in self.runs.items()
        }

    @property
    def last_loss(self) -> dict[int, float]:
        """Seed -> the loss of the last batches that were logged together."""
        found = {}
        for seed, curve in self.curves(_LOSS).items():
            if not curve:
                raise ReportError(
                    f"{self.runs[seed].path}: wanted a training loss in its "
                    "metrics, got none"
                )
            found[seed] = curve[max(curve)]
        return found

    def loss(self) -> float | None:
        """Its mean over the seeds."""
        return tables.mean(self.last_loss.values())


def _students(records: Records) -> dict[Network, list[_Students]]:
    return {
        network: [
            _Students(
                network,
                alpha,
                *(
                    tables.by_seed(
                        records, *_run(network, alpha, taught=taught)
                    )
                    for taught in (False, True)
                ),
            )
            for alpha in _ALPHAS
        ]
        for network in _NETWORKS
    }


def _draw(axes: Axes, students: Iterable[_Students], name: str) -> None:
    for of in students:
        colour, dashes = _STYLES[of.alpha]
        canvas.band(
            axes,
            tables.over_steps(of.curves(name).values()),
            opacity=0.18,
            color=colour,
            linestyle=dashes,
            label=f"teacher with alpha = {of.alpha:g}",
        )
    axes.set_xlabel("step")
    canvas.plain(axes)
    if axes.has_data():
        axes.legend(frameon=False, fontsize=9)


def _figure(students: Iterable[_Students]) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = [of for of in students if of.runs]
    _draw(left, shown, _LOSS)
    left.set(ylabel="training loss, KL in nats", yscale="log")
    _draw(right, shown, _ACCURACY)
    right.set_ylabel("accuracy, %")
    return figure


def _claims(students: Iterable[list[_Students]]) -> Iterable[Claim[_Students]]:
    for hard, smoothed in students:
        for lower, higher, text in (
            (
                hard.last_loss,
                smoothed.last_loss,
                "the smoothed teacher's student ends at a higher loss, nats",
            ),
            (
                ACCURACY.of(hard.runs),
                ACCURACY.of(smoothed.runs),
                "and is the more accurate one, %",
            ),
        ):
            yield Claim(hard, lower, higher, text, by_interval=True)


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    students = _students(records)
    claims = list(_claims(students.values()))
    yield Text(
        "Students of two teachers, one with hard and one with smoothed labels, "
        "that learn their answers alone: the loss is KL(teacher || student) at "
        "temperature 1, which is 0 where the student answers as its teacher. "
        "Shen et al. see a higher loss of the smoothed teacher's student, and "
        "no lower accuracy: its answers hold more to be learnt. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    sentence = "{of.network.label}: {text} (Shen et al.): " + declared.compared(
        "#.4g"
    )
    yield declared.findings((claims, sentence))
    for network, both in students.items():
        if any(of.runs for of in both):
            yield Picture(
                _figure(both),
                f"curves_{network.experiment}",
                f"{network.label}: training loss, means between two "
                "measurements, and accuracy on images that are not trained "
                f"on. {canvas.BAND} As figure 5 of Shen et al. "
                f"2021.{networks.missing({of.alpha: of.runs for of in both})}",
            )
    yield declared.table(
        "ends",
        "The ends of the curves, means over seeds: accuracy of teachers and "
        f"students on images that are not trained on. {cifar.JPEG}",
        [of for both in students.values() for of in both],
        ("network", lambda of: of.network.label, ""),
        ("alpha of the teacher", lambda of: of.alpha, "g"),
        ("teacher, %", lambda of: or_no_run(ACCURACY.mean(of.teachers)), ".2f"),
        ("student, %", lambda of: or_no_run(ACCURACY.mean(of.runs)), ".2f"),
        ("loss, nats", lambda of: or_no_run(of.loss()), ".5f"),
        ("seeds", lambda of: len(of.runs), ""),
    )
    yield declared.table(
        "claims",
        f"Claims of Shen et al. 2021. {declared.INTERVAL}",
        claims,
        ("network", lambda c: c.of.network.label, ""),
        ("claim", lambda c: c.text, ""),
        *declared.judged("#.4g", by_interval=True),
    )
    yield declared.table(
        "printed",
        "Tables 2 and 7 of Shen et al. 2021, top-1 accuracy, %: teachers of "
        "hard and of smoothed labels and the students of their answers alone, "
        "at temperature 1.",
        _PRINTED,
        ("teacher to student", str, ""),
        *declared.each(
            [(who, a) for who in ("teacher", "student") for a in _ALPHAS],
            lambda column: f"{column[0]}, alpha={column[1]:g}",
            _as_printed,
            "",
        ),
        ("smoothed better?", lambda row: printed(row).holds, ""),
    )
