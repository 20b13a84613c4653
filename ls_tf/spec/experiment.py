"""The dataclasses of an experiment, and its digest.

An experiment is data: a frozen dataclass says what to run, code elsewhere says
how. Only the standard library is imported here, so that the command line can
print or refuse a specification in a fraction of a second.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ls_tf.spec.values import Value, canonical_text


@dataclass(frozen=True)
class Part:
    """A module (or class) by name, and the arguments of its ``build``.

    ``weights`` is of a model alone: the file of the weights that it starts
    from, instead of drawing them.
    """

    name: str
    options: Mapping[str, Value] = field(default_factory=dict)
    weights: str = ""


@dataclass(frozen=True)
class DataSpec:
    """Which data set, and which of its examples serve which role.

    Splits are written as TFDS writes them: ``train[:40000]``.
    """

    name: str
    train: str
    calibrate: str
    report: str
    augmentation: str = "none"
    # Temperature fitted and reported on the same examples needs a reason.
    same_split_reason: str = ""
    # The user's own data: which (a file, a folder, a name).
    source: str = ""
    # Of texts: subwords to learn; longest pair trained on, in subwords.
    vocabulary_size: int = 0
    max_length: int = 256
    # The largest share of a split's pairs that may be left out, because a
    # side is empty or too long; more is refused.
    allow_left_out: float = 0.5
    # Of photographs that are streamed: whether the next one of its class
    # takes the place of a damaged one; else the run ends.
    skip_damaged: bool = False
    # Labels that are wrong on purpose, by the run's seed: how often one is
    # kept (else it is one of the other classes, each equally likely), or, for
    # each true class, the probabilities of what is observed in its place.
    label_kept: float = 1.0
    label_transition: tuple[tuple[float, ...], ...] = ()
    # "train" | "all": the splits that are measured on too, each by its own
    # chance
    noisy_labels: str = "train"
    # A long tail: of the training split some classes keep few examples, drawn
    # by the run's seed, in the proportions of a Pareto distribution of this
    # power. The most frequent class has `tail_largest` (None: as many as the
    # rarest of the split has), and none fewer than `tail_smallest`.
    tail_power: float | None = None
    tail_largest: int | None = None
    tail_smallest: int = 1
    # Classes whose examples are used, of every split, in the order of their
    # new ids; none means all.
    classes: tuple[int, ...] = ()
    # Of the user's own images: (height, width) that all are scaled and cut
    # to; 1 for grey or 3 for colours. () and 0: as they are, all alike.
    image_size: tuple[int, ...] = ()
    channels: int = 0
    # The share of each class that is held out of `train`, as `test` or, where
    # there is one, as `validation`; drawn by a seed of its own, so that all
    # runs have the same, a student and its teacher too.
    held_out: float = 0.0
    held_out_seed: int = 0
    # Of a set with several columns of class labels: which is learnt.
    label_column: str = ""

    @property
    def has_label_noise(self) -> bool:
        """Whether any label is changed."""
        return self.label_kept < 1 or bool(self.label_transition)


@dataclass(frozen=True)
class TrainSpec:
    """Length, batch, targets and regularisation of a training.

    Length is in steps or in epochs, one of them. A batch is over all devices,
    and counted in examples, or, of texts, in padded subwords of the longer
    side. ``alpha`` mixes the label with the uniform distribution:
    (1 - alpha) y + alpha / K.
    """

    alpha: float
    global_batch_size: int | None = None
    global_batch_tokens: int | None = None
    steps: int | None = None
    epochs: float | None = None
    # "uniform" alpha/K | "others" eps/(K-1) | "prior" class frequencies
    smoothing: str = "uniform"
    loss_scale: float = 1.0
    # Of the loss of a model's auxiliary head, beside that of its logits.
    auxiliary_weight: float = 0.4
    weight_decay: float = 0.0  # coupled: adds weight_decay * w to the gradient
    decay_exclude: tuple[str, ...] = ()
    # "square": w * weight_decay, or "norm": that over the norm of w
    decay_of: str = "square"
    clip_global_norm: float = 0.0  # 0: off
    ema_momentum: float = 0.0  # 0: no weight average
    log_every_steps: int = 100
    checkpoint_every_steps: int = 1000
    # Whether XLA gets the loop over the steps as one program; false suits
    # convolutions on a CPU. TensorFlow: no XLA then; JAX: step by step.
    xla: bool = True
    # "float32" | "tensorfloat32" (matrix products only) | "bfloat16" (mixed)
    precision: str = "float32"
    # Whether activations are computed again on the way back, to save memory.
    remat: bool = False


@dataclass(frozen=True)
class EvaluatorSpec:
    """One measurement: which evaluator, on which role's split, how often.

    ``every_steps=0`` measures at the end only.
    """

    name: str
    role: str = "report"  # a field of DataSpec: train, calibrate or report
    every_steps: int = 0
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class TeacherSpec:
    """The run whose network teaches, and how its logits are used.

    The teacher is found through the run records. ``seed=None`` takes the
    student's own seed. ``matching`` is "soft" (cross-entropy of tempered
    probabilities) or "logits" (half the squared logit error). ``table`` says
    whether the teacher's logits on every view of the images are made once,
    kept in float16 and shared: "auto" where the views can be counted and are
    more than one, "always" (refused where they cannot), or "never": then the
    teacher runs beside the student.

    Of translations ``targets`` says what the student's training targets are:
    the data's own ("labels"), or the best that the teacher's beam search finds
    for each training source ("translations"). ``beta`` is then the weight of
    the teacher's probabilities along its own translation; with 0 these are all
    that the student learns from.
    """

    experiment: str
    changes: Mapping[str, Value] = field(default_factory=dict)
    seed: int | None = None
    beta: float = 1.0
    matching: str = "soft"
    teacher_temperature: float = 1.0
    student_temperature: float = 1.0
    scale_by_temperature_squared: bool = False
    logit_reduction: str = "sum"
    table: str = "auto"  # an image of one view has its logits in memory
    targets: str = "labels"
    # Of the search for translations, as in ``protocols.Decoding``.
    beam_size: int = 4
    length_penalty: float = 0.6
    extra_length: int = 50

    @property
    def translates(self) -> bool:
        """Whether the student's targets are the teacher's translations."""
        return self.targets == "translations"

    @property
    def answers(self) -> bool:
        """Whether the student learns from the teacher's probabilities."""
        return not self.translates or self.beta > 0


@dataclass(frozen=True)
class ExperimentSpec:
    """Everything that decides the numbers of a run."""

    task: str
    model: Part
    data: DataSpec
    train: TrainSpec
    optimizer: Part
    schedule: Part
    evaluators: tuple[EvaluatorSpec, ...]
    learning_rate: float
    seed: int = 0
    teacher: TeacherSpec | None = None
    # None: the task's own, of which `train.smoothing` and the fields of the
    # teacher say what kind (see LOSS_STANDS_FOR).
    loss: Part | None = None
    # Overrides that shrink the run to seconds; applied by --smoke.
    smoke: Mapping[str, Value] = field(default_factory=dict)


# Ends of the names of files that a model's weights may be read from.
WEIGHTS = (".npz", ".safetensors", ".h5")

# Numbers of a run that a loss may take, by the name it takes them under: where
# they stand, and the value they have where a loss has no use for them.
LOSS_NUMBERS: Mapping[str, tuple[str, float]] = {
    "alpha": ("train.alpha", 0.0),
    "beta": ("teacher.beta", TeacherSpec.beta),
    "teacher_temperature": (
        "teacher.teacher_temperature",
        TeacherSpec.teacher_temperature,
    ),
    "student_temperature": (
        "teacher.student_temperature",
        TeacherSpec.student_temperature,
    ),
}

# Fields that choose a loss where none is named, and their defaults: a loss
# that is named stands for them.
LOSS_STANDS_FOR: Mapping[str, Value] = {
    "train.smoothing": TrainSpec.smoothing,
    "teacher.matching": TeacherSpec.matching,
    "teacher.logit_reduction": TeacherSpec.logit_reduction,
    "teacher.scale_by_temperature_squared": (
        TeacherSpec.scale_by_temperature_squared
    ),
}


def digest(spec: ExperimentSpec) -> str:
    """Names a specification by its content.

    Fields at their default value do not count, so that a field added later,
    with a default that means "as before", leaves old records valid.

    Args:
        spec: a resolved specification.

    Returns:
        str: 64 hexadecimal digits (SHA-256 of the canonical JSON).

    Source: ours.
    """
    return hashlib.sha256(canonical_text(spec).encode()).hexdigest()
