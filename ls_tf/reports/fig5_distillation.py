"""Distillation on CIFAR-10 over alpha and T, against the smoothness gamma.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains seed 0 of the short setting, and eight students once
more with one thing changed. The runs at the paper's length are made by the
commands on the page: without a GPU, that is months.

Source: Mueller et al. 2019, section 4 and figure 5.
Run: python run_experiment.py --report=fig5_distillation
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ls_tf.pages import canvas, cifar, declared, distillation, networks, tables
from ls_tf.pages.blocks import Block, Need, Text
from ls_tf.pages.declared import ACCURACY, Records
from ls_tf.pages.distillation import BY_TEMPERATURE, STUDENT
from ls_tf.spec import Value, registry

TITLE = "Distillation on CIFAR-10 against the smoothness of the teacher"
PARTIAL = True

_TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 8.0, 12.0, 16.0)  # figure 5
_SHORT = distillation.Setting(
    "ResNet-20 (steps / 10) and AlexNet (steps / 120), bfloat16",
    alone="alexnet_cifar10_120th",
    student="alexnet_cifar10_student_120th",
    temperatures=_TEMPERATURES,
    seeds=networks.SEEDS,
    headline=(0,),
    file="curves_short",
)
_FULL = distillation.Setting(
    "ResNet-56 and AlexNet",
    alone="alexnet_cifar10",
    student="alexnet_cifar10_student",
    temperatures=_TEMPERATURES,
    seeds=(0, 1, 2, 3, 4),  # the paper's number
    headline=(),
)
_SETTINGS = (_FULL, _SHORT)

# Some of the short students again, with one thing changed: what holds flat
# answers back. The longer ones have the step counts of this experiment.
_TWICE_AS_LONG = "alexnet_cifar10_short"
_AS_ABOVE = "as in the figure"
_LONGER = "twice the steps"
_LESS_DECAY = "weight decay / 10"
_VARIATIONS = (_AS_ABOVE, _LONGER, _LESS_DECAY)
_VARIED = (1.0, 4.0, 8.0)  # temperatures of the hard teacher


def _varied(
    variation: str, temperature: float | None
) -> tuple[str, dict[str, Value]]:
    """The run of a student at T; of that on labels if T is none."""
    curve = STUDENT if temperature is None else BY_TEMPERATURE
    experiment, changes = _SHORT.run(curve, temperature or 0.0)
    if variation == _LESS_DECAY:
        return experiment, {**changes, "train.weight_decay": 0.004}
    if variation == _AS_ABOVE:
        return experiment, changes
    if temperature is None:  # a run that is there
        return _TWICE_AS_LONG, {**changes, "train.precision": "bfloat16"}
    longer = registry.get("ls_tf.experiments", _TWICE_AS_LONG).SPEC
    boundaries = longer.schedule.options["boundaries"]
    changes["train.steps"] = longer.train.steps
    return experiment, {**changes, "schedule.options.boundaries": boundaries}


def _whose(temperature: float | None) -> str:
    return "on labels" if temperature is None else f"T = {temperature:g}"


REQUIRES = (
    *(need for setting in _SETTINGS for need in distillation.needs(setting)),
    *(
        Need(
            *_varied(variation, t),
            row=f"AlexNet, {variation}, student {_whose(t)}",
        )
        for variation in (_LONGER, _LESS_DECAY)
        for t in (None, *_VARIED)
    ),
)


@dataclass(frozen=True)
class _Students:
    """Students on labels and of the hard teacher, with one thing changed."""

    records: Records
    variation: str

    def accuracy(self, temperature: float | None) -> float | None:
        run = _varied(self.variation, temperature)
        return ACCURACY.of(tables.by_seed(self.records, *run)).get(0)

    def gain(self, temperature: float) -> float | None:
        """How much better the student at T is than the one on labels."""
        taught, alone = self.accuracy(temperature), self.accuracy(None)
        return None if taught is None or alone is None else taught - alone


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    yield Text(
        "Does a more accurate teacher teach better? AlexNets on smoothed "
        "labels, on the answers of a ResNet with hard targets at temperature "
        "T, and on the answers of ResNets with smoothed ones; beta = 1, the "
        "student's temperature is 1. gamma is the probability that those "
        "answers leave to the other classes, times K / (K - 1), exact over all "
        "162 views of every training image; where the teacher's answers are "
        "not stored, as for the short students, over the images without "
        f"augmentation. {cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    yield from distillation.blocks(
        records,
        {
            setting: f"{setting.name}: accuracy against gamma. {canvas.BAND} "
            f"The numbers are temperatures. {cifar.SPLIT} {cifar.JPEG}"
            for setting in _SETTINGS
        },
        f"Accuracy, %, and gamma. {cifar.SPLIT} The paper prints no numbers "
        f"beside its figure. {cifar.JPEG}",
    )
    yield declared.table(
        "variations",
        "What holds the students of flat answers back: short students on "
        "labels without smoothing and of the hard teacher at T; with the steps "
        "doubled; with a tenth of Müller et al.'s weight decay, as "
        "TensorFlow's tutorial has it. Accuracy, and the accuracy less that on "
        f"labels of the same row. Seed 0, bfloat16. {cifar.SPLIT} {cifar.JPEG}",
        [_Students(records, variation) for variation in _VARIATIONS],
        ("students", lambda s: s.variation, ""),
        *declared.each(
            (None, *_VARIED),
            lambda t: f"{_whose(t)}, %",
            _Students.accuracy,
            ".2f",
        ),
        *declared.each(
            _VARIED,
            lambda t: f"{_whose(t)} less labels",
            _Students.gain,
            "+.2f",
        ),
    )
