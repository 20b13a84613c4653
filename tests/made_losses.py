"""Two losses that a user might add, each one file, for as long as a test."""

import contextlib
import pathlib
import shutil
import sys

import ls_tf.losses

CONFIDENCE_PENALTY = '''\
"""Cross-entropy minus a share of the answer's entropy."""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from ls_tf.objective import label_smoothing
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

EXAMPLE = {"weight": 0.1}  # to be tried with: it has no default


@dataclass(frozen=True)
class Loss:
    """``-log p_label - weight * H(p)``, in nats.

    Attributes:
        weight: of the entropy, 0 or more.

    Raises:
        ValueError: if ``weight`` is negative.

    Source: Pereyra et al. 2017, section 3.
    """

    weight: float

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks the weight."""
        if not self.weight >= 0:
            raise ValueError(f"wanted weight of 0 or more, got {self.weight}")

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        log_p = ops.log_softmax(answers.logits, axis=-1)
        entropy = -ops.sum(ops.exp(log_p) * log_p, axis=-1)
        hard = label_smoothing.nll(answers.labels, answers.logits)
        return hard - self.weight * entropy
'''

ANGLE = '''\
"""A student's loss on labels and on the angle to its teacher's logits."""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from ls_tf.objective import label_smoothing
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``(1 - beta) * H(y, p) + beta * strength * (1 - cos(z, t))``.

    Attributes:
        beta: weight of the teacher, in [0, 1]; the run's.
        strength: of the angle, positive.
        centred: takes each row's mean off the logits before.

    Raises:
        ValueError: if ``strength`` is not positive.

    Source: ours.
    """

    beta: float
    strength: float = 1.0
    centred: bool = True

    needs_teacher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the strength."""
        if not self.strength > 0:
            raise ValueError(f"wanted a positive strength, got {self.strength}")

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        student = answers.logits
        teacher = ops.stop_gradient(answers.teacher_logits)
        if self.centred:
            student = student - ops.mean(student, axis=-1, keepdims=True)
            teacher = teacher - ops.mean(teacher, axis=-1, keepdims=True)
        cosine = ops.sum(
            ops.normalize(student, axis=-1) * ops.normalize(teacher, axis=-1),
            axis=-1,
        )
        hard = label_smoothing.nll(answers.labels, answers.logits)
        soft = self.strength * (1 - cosine)
        return (1 - self.beta) * hard + self.beta * soft
'''

FILES = {"confidence_penalty": CONFIDENCE_PENALTY, "angle": ANGLE}


@contextlib.contextmanager
def added(folder: pathlib.Path):
    """Lets the two be found beside the package's own losses.

    Args:
        folder: an empty one, where the files are written.
    """
    places = ls_tf.losses.__path__
    for file in pathlib.Path(places[0]).glob("*.py"):
        shutil.copy(file, folder)
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
    places.insert(0, str(folder))
    try:
        yield
    finally:
        places.remove(str(folder))
        for name in FILES:
            sys.modules.pop(f"ls_tf.losses.{name}", None)
            vars(ls_tf.losses).pop(name, None)
