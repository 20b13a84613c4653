"""What an experiment is: its dataclasses, their values, names and changes."""

from ls_tf.spec.changes import changes, changes_name
from ls_tf.spec.checks import check, check_loss, from_dict
from ls_tf.spec.experiment import (
    LOSS_NUMBERS,
    LOSS_STANDS_FOR,
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TeacherSpec,
    TrainSpec,
    digest,
)
from ls_tf.spec.overrides import kind_of, override
from ls_tf.spec.values import SpecError, Value, as_dict, nearest, parse

__all__ = [
    "LOSS_NUMBERS",
    "LOSS_STANDS_FOR",
    "DataSpec",
    "EvaluatorSpec",
    "ExperimentSpec",
    "Part",
    "SpecError",
    "TeacherSpec",
    "TrainSpec",
    "Value",
    "as_dict",
    "changes",
    "changes_name",
    "check",
    "check_loss",
    "digest",
    "from_dict",
    "kind_of",
    "nearest",
    "override",
    "parse",
]
