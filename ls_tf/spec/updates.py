"""What optimizers and schedules take, as it can be said without Keras.

Keras's own are those of Keras 3.15; that the tables are right is tested.
"""

from collections.abc import Mapping
from typing import Any

# Option -> its type, and whether there is a default.
Options = Mapping[str, tuple[Any, bool]]

_NUMBER, _SWITCH = (float, True), (bool, True)
_ADAM: Options = {"beta_1": _NUMBER, "beta_2": _NUMBER, "epsilon": _NUMBER}

OPTIMIZERS: Mapping[str, Options] = {
    "Adadelta": {"rho": _NUMBER, "epsilon": _NUMBER},
    "Adafactor": {
        "beta_2_decay": _NUMBER,
        "epsilon_1": _NUMBER,
        "epsilon_2": _NUMBER,
        "clip_threshold": _NUMBER,
        "relative_step": _SWITCH,
    },
    "Adagrad": {"initial_accumulator_value": _NUMBER, "epsilon": _NUMBER},
    "Adam": {**_ADAM, "amsgrad": _SWITCH},
    "Adamax": _ADAM,
    "Ftrl": {
        "learning_rate_power": _NUMBER,
        "initial_accumulator_value": _NUMBER,
        "l1_regularization_strength": _NUMBER,
        "l2_regularization_strength": _NUMBER,
        "l2_shrinkage_regularization_strength": _NUMBER,
        "beta": _NUMBER,
    },
    "Lamb": _ADAM,
    "Lion": {"beta_1": _NUMBER, "beta_2": _NUMBER},
    "Momentum": {
        "momentum": _NUMBER,
        "nesterov": _SWITCH,
        "dampening": _NUMBER,
        "learning_rate_multipliers": (Mapping[str, float] | None, True),
    },
    "Nadam": _ADAM,
    "RMSprop": {
        "rho": _NUMBER,
        "momentum": _NUMBER,
        "epsilon": _NUMBER,
        "centered": _SWITCH,
    },
    "SGD": {"momentum": _NUMBER, "nesterov": _SWITCH},
    "ScheduleFreeAdamW": {**_ADAM, "warmup_steps": (int, True)},
}

# Arguments of Keras's optimizers that the training does itself, and the field
# that says so.
ELSEWHERE: Mapping[str, str] = {
    "clipnorm": "train.clip_global_norm",
    "clipvalue": "train.clip_global_norm",
    "global_clipnorm": "train.clip_global_norm",
    "weight_decay": "train.weight_decay",
    "gradient_accumulation_steps": "train.global_batch_size",
    "use_ema": "train.ema_momentum",
    "ema_momentum": "train.ema_momentum",
    "ema_overwrite_frequency": "train.ema_momentum",
    "loss_scale_factor": "train.loss_scale",
    "learning_rate": "the experiment's learning_rate",
}

SCHEDULES: Mapping[str, Options] = {
    "constant": {},
    "exponential_with_warmup": {
        "warmup_steps": (int, False),
        "decay_rate": (float, False),
        "decay_steps": (float, False),
    },
    "linear_to_zero": {},
    "piecewise_constant": {
        "boundaries": (tuple[int, ...], False),
        "factors": (tuple[float, ...], False),
    },
    "rsqrt_with_warmup": {
        "warmup_steps": (int, False),
        "hidden_size": (int | None, True),
    },
}
