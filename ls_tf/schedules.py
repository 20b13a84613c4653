"""Learning rates as functions of the step, found by name.

The step is the number of updates made before this one: the first update has
step 0. Keras's own classes are used where they say what is wanted.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"wanted a positive {name}, got {value}")


@keras.saving.register_keras_serializable(package="ls_tf")
class ExponentialWithWarmup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Straight line up to the peak, then continuous exponential decay.

    ``peak * step / warmup_steps`` below ``warmup_steps``; from there on
    ``peak * decay_rate ** ((step - warmup_steps) / decay_steps)``.

    Source: ours; the usual shape for ImageNet with large batches.
    """

    def __init__(
        self,
        *,
        peak: float,
        warmup_steps: int,
        decay_rate: float,
        decay_steps: int,
    ) -> None:
        """Sets the curve.

        Args:
            peak: rate at ``warmup_steps``.
            warmup_steps: length of the line, 0 for none.
            decay_rate: factor per ``decay_steps``, in (0, 1].
            decay_steps: positive; need not be whole.
        """
        if warmup_steps < 0:
            raise ValueError(
                f"wanted warmup_steps of 0 or more, got {warmup_steps}"
            )
        if not 0 < decay_rate <= 1:
            raise ValueError(f"wanted decay_rate in (0, 1], got {decay_rate}")
        _check_positive("decay_steps", decay_steps)
        self.peak = float(peak)
        self.warmup_steps = warmup_steps
        self.decay_rate = float(decay_rate)
        self.decay_steps = decay_steps

    def __call__(self, step: Any) -> Any:
        """Gives the rate at a step, float32."""
        s = ops.cast(step, "float32")
        # Both curves are continuous at the peak, so one clip each replaces a
        # branch: the line stops at 1, the decay starts at 0.
        line = ops.minimum(1.0, s / max(self.warmup_steps, 1))
        if self.warmup_steps == 0:
            line = ops.ones_like(s)
        after = ops.maximum(0.0, s - self.warmup_steps) / self.decay_steps
        return self.peak * line * ops.power(self.decay_rate, after)

    def get_config(self) -> dict[str, Any]:
        """Gives the arguments that rebuild the schedule."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "decay_rate": self.decay_rate,
            "decay_steps": self.decay_steps,
        }


@keras.saving.register_keras_serializable(package="ls_tf")
class RsqrtWithWarmup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Straight line up, then the inverse square root of the step.

    ``scale * min(1, step / warmup_steps) / sqrt(max(step, warmup_steps))``,
    divided by ``sqrt(hidden_size)`` if one is given. Step 0 has rate 0.

    Source: tensor2tensor, "constant*linear_warmup*rsqrt_decay" and the same
    with "*rsqrt_hidden_size".
    """

    def __init__(
        self,
        *,
        scale: float,
        warmup_steps: int,
        hidden_size: int | None = None,
    ) -> None:
        """Sets the curve.

        Args:
            scale: the constant in front; not the peak.
            warmup_steps: positive; the step of the peak.
            hidden_size: width of the model, or None for no such factor.
        """
        _check_positive("warmup_steps", warmup_steps)
        if hidden_size is not None:
            _check_positive("hidden_size", hidden_size)
        self.scale = float(scale)
        self.warmup_steps = warmup_steps
        self.hidden_size = hidden_size

    def __call__(self, step: Any) -> Any:
        """Gives the rate at a step, float32."""
        s = ops.cast(step, "float32")
        scale = self.scale
        if self.hidden_size is not None:
            scale *= self.hidden_size**-0.5
        line = ops.minimum(1.0, s / self.warmup_steps)
        return scale * line * ops.rsqrt(ops.maximum(s, self.warmup_steps))

    def get_config(self) -> dict[str, Any]:
        """Gives the arguments that rebuild the schedule."""
        return {
            "scale": self.scale,
            "warmup_steps": self.warmup_steps,
            "hidden_size": self.hidden_size,
        }


def _constant(base: float, total_steps: int) -> float:
    return base


def _linear_to_zero(base: float, total_steps: int) -> Any:
    _check_positive("total_steps", total_steps)
    return keras.optimizers.schedules.PolynomialDecay(
        base, total_steps, end_learning_rate=0.0, power=1.0, cycle=False
    )


def _piecewise_constant(
    base: float,
    total_steps: int,
    *,
    boundaries: Sequence[int],
    factors: Sequence[float],
) -> Any:
    if not boundaries or len(boundaries) != len(factors):
        raise ValueError(
            "wanted one factor for each of one or more boundaries, got "
            f"{len(boundaries)} boundaries and {len(factors)} factors"
        )
    ordered = [0, *boundaries]
    if any(b <= a for a, b in zip(ordered, ordered[1:], strict=False)):
        raise ValueError(
            f"wanted positive, growing boundaries, got {tuple(boundaries)}"
        )
    # Keras still uses the old value when step == boundary.
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [int(boundary) - 1 for boundary in boundaries],
        [base, *(base * float(factor) for factor in factors)],
    )


def _exponential_with_warmup(
    base: float,
    total_steps: int,
    *,
    warmup_steps: int,
    decay_rate: float,
    decay_steps: int,
) -> Any:
    return ExponentialWithWarmup(
        peak=base,
        warmup_steps=warmup_steps,
        decay_rate=decay_rate,
        decay_steps=decay_steps,
    )


def _rsqrt_with_warmup(
    base: float,
    total_steps: int,
    *,
    warmup_steps: int,
    hidden_size: int | None = None,
) -> Any:
    return RsqrtWithWarmup(
        scale=base, warmup_steps=warmup_steps, hidden_size=hidden_size
    )


def _makers() -> dict[str, Callable[..., Any]]:
    return {
        "constant": _constant,
        "exponential_with_warmup": _exponential_with_warmup,
        "linear_to_zero": _linear_to_zero,
        "piecewise_constant": _piecewise_constant,
        "rsqrt_with_warmup": _rsqrt_with_warmup,
    }


def build(
    name: str,
    options: Mapping[str, Any],
    *,
    base_learning_rate: float,
    total_steps: int,
) -> Any:
    """Builds a schedule by its name.

    * ``constant``: no options.
    * ``linear_to_zero``: no options; falls at every step and would be 0 at
      ``total_steps``, so the last update has ``base / total_steps``.
    * ``piecewise_constant``: ``boundaries``, ``factors`` of equal length.
      The update with step ``boundaries[i]`` is the first with
      ``base * factors[i]``: factors are of the base rate, not of the one
      before. "Divided by 10 at 32k" means that 32,000 updates were made at
      the old rate.
    * ``exponential_with_warmup``: ``warmup_steps``, ``decay_rate``,
      ``decay_steps``; the base rate is the peak.
    * ``rsqrt_with_warmup``: ``warmup_steps``, ``hidden_size`` (may be left
      out); the base rate is the constant in front.

    Args:
        name: one of the names above.
        options: the schedule's own arguments.
        base_learning_rate: the rate that the curve scales; 0 or more.
        total_steps: updates in the whole run.

    Returns:
        A Keras ``LearningRateSchedule``, or a float if the rate is constant.

    Raises:
        ValueError: if a name, an option or a range is wrong.

    Source: Mueller et al. 2019, App. A.1 to A.5.
    """
    makers = _makers()
    if name not in makers:
        raise ValueError(f"no schedule {name!r}; there are {', '.join(makers)}")
    base = float(base_learning_rate)
    if not base >= 0:
        raise ValueError(f"wanted a learning rate of 0 or more, got {base}")
    known = {
        key: parameter
        for key, parameter in inspect.signature(makers[name]).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for key in options:
        if key not in known:
            raise ValueError(
                f"schedule {name!r} has no option {key!r}; there are: "
                f"{', '.join(known) or 'none'}"
            )
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in options:
            raise ValueError(f"schedule {name!r} wants the option {key!r}")
    return makers[name](base, total_steps, **options)
