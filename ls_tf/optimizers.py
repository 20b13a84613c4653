"""Momentum with the learning rate outside, and the steps before an update.

Only what Keras lacks is here; every other optimizer is named by its Keras
class. Weight decay and clipping are functions of the *whole* gradient, to be
called after the replicas' gradients have been summed: Keras clips inside
``apply``, on each replica's own share, which is another number.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from ls_tf.spec.updates import ELSEWHERE

_LEAST_NORM = 1e-12  # of a variable that is decayed by its norm

_SHOWN = 20  # variables in a message


def _matches(path: str, name: str) -> bool:
    """Says whether a name is a component of a path or its last components."""
    return name in path.split("/") or f"/{path}".endswith(f"/{name}")


def _check_names(
    what: str, names: Sequence[str], variables: Sequence[Any]
) -> None:
    for name in names:
        if not any(_matches(v.path, name) for v in variables):
            paths = [v.path for v in variables]
            more = len(paths) - _SHOWN
            raise ValueError(
                f"{what} {name!r} names no variable; there are "
                f"{', '.join(paths[:_SHOWN])}"
                f"{f' and {more} more' if more > 0 else ''}"
            )


@keras.saving.register_keras_serializable(package="ls_tf")
class Momentum(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Gradient descent with momentum, learning rate outside the velocity.

    For the gradient ``g`` of the variable ``w`` with velocity ``v``::

        g' = (1 - dampening) * g
        v  = momentum * v + g'                 (v starts at 0)
        w -= learning_rate * multiplier * v                     (plain)
        w -= learning_rate * multiplier * (g' + momentum * v)   (Nesterov)

    Keras's SGD keeps the learning rate inside the velocity, so that after a
    drop of the rate old gradients still act at the old rate; TensorFlow 1 and
    PyTorch keep it outside, as here. Both agree at a constant rate.
    ``momentum=0.9, dampening=0.9`` is the "smoothed gradient"
    ``v = 0.9 v + 0.1 g``, whose effective rate is the rate and not ten times
    it. PyTorch does not dampen the first gradient; here it is dampened, as a
    start at 0 says. Without momentum there is no velocity in memory.

    Source: Sutskever et al. 2013; TensorFlow 1's MomentumOptimizer; the
    dampened form is Mueller et al. 2019, App. A.5.
    """

    def __init__(
        self,
        learning_rate: Any,
        momentum: float = 0.0,
        nesterov: bool = False,
        dampening: float = 0.0,
        learning_rate_multipliers: Mapping[str, float] | None = None,
        name: str = "momentum",
        **kwargs: Any,
    ) -> None:
        """Sets the update.

        Args:
            learning_rate: float or Keras ``LearningRateSchedule``.
            momentum: in [0, 1); 0 is plain gradient descent.
            nesterov: takes the step that looks ahead.
            dampening: in [0, 1); fraction of each gradient left out.
            learning_rate_multipliers: factor of the learning rate by name.
                A name is a layer (``"logits"``), any other component of a
                variable's path, or its last components (``"logits/bias"``).
            name: the optimizer's name.
            **kwargs: what every ``keras.optimizers.Optimizer`` takes, such
                as ``use_ema``.

        Raises:
            ValueError: if a value is out of range, or if Nesterov or
                dampening is asked for without momentum.
        """
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        for what, value in (("momentum", momentum), ("dampening", dampening)):
            if not 0 <= value < 1:
                raise ValueError(f"wanted {what} in [0, 1), got {value}")
        if momentum == 0 and (nesterov or dampening):
            raise ValueError(
                "nesterov and dampening want a momentum above 0, got "
                f"momentum={momentum}, nesterov={nesterov}, "
                f"dampening={dampening}"
            )
        multipliers = dict(learning_rate_multipliers or {})
        for layer, factor in multipliers.items():
            if not factor >= 0:
                raise ValueError(
                    f"wanted a learning rate multiplier of 0 or more for "
                    f"{layer!r}, got {factor}"
                )
        self.momentum = float(momentum)
        self.nesterov = bool(nesterov)
        self.dampening = float(dampening)
        self.learning_rate_multipliers = multipliers

    def build(self, variables: Sequence[Any]) -> None:
        """Makes one velocity per variable, none if there is no momentum.

        Args:
            variables: the trainable variables, in the order of the gradients.

        Raises:
            ValueError: if a multiplier's name matches no variable, or if two
                match the same one.
        """
        if self.built:
            return
        self._factors = self._find_factors(variables)
        super().build(variables)
        self.velocities = []
        if self.momentum > 0:
            self.velocities = self.add_optimizer_variables(
                variables, "velocity"
            )

    def _find_factors(self, variables: Sequence[Any]) -> list[float]:
        multipliers = dict(self.learning_rate_multipliers)
        if not multipliers:
            return [1.0] * len(variables)
        _check_names("learning rate multiplier", tuple(multipliers), variables)
        factors = []
        for variable in variables:
            names = [n for n in multipliers if _matches(variable.path, n)]
            if len(names) > 1:
                raise ValueError(
                    f"wanted one learning rate multiplier for "
                    f"{variable.path}, got {', '.join(names)}"
                )
            factors.append(float(multipliers[names[0]]) if names else 1.0)
        return factors

    def update_step(
        self, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Updates one variable and its velocity.

        Args:
            gradient: of the variable's shape; may be sparse.
            variable: a Keras variable, or the backend's own.
            learning_rate: scalar, before the variable's multiplier.
        """
        # The functions of ops, not operators: they take sparse gradients too.
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype)
        if self._factors[index] != 1:
            rate = ops.multiply(rate, self._factors[index])
        gradient = ops.cast(gradient, variable.dtype)
        if self.momentum == 0:
            self.assign_sub(variable, ops.multiply(gradient, rate))
            return
        if self.dampening:
            gradient = ops.multiply(gradient, 1 - self.dampening)
        velocity = self.velocities[index]
        step = ops.add(ops.multiply(velocity, self.momentum), gradient)
        self.assign(velocity, step)
        if self.nesterov:
            step = ops.add(ops.multiply(step, self.momentum), gradient)
        self.assign_sub(variable, ops.multiply(step, rate))

    def get_config(self) -> dict[str, Any]:
        """Gives the arguments that rebuild the optimizer."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "dampening": self.dampening,
            "learning_rate_multipliers": dict(self.learning_rate_multipliers),
        }


def _classes() -> dict[str, type]:
    """Lists the optimizers that leave weight decay to the training loop."""
    found: dict[str, type] = {"Momentum": Momentum}
    for name, value in vars(keras.optimizers).items():
        if not isinstance(value, type):
            continue
        parameters = inspect.signature(value).parameters
        if (
            issubclass(value, keras.optimizers.Optimizer)
            and value is not keras.optimizers.Optimizer
            and "learning_rate" in parameters
            # AdamW and Muon decay even if nothing is said.
            and "weight_decay" in parameters
            and parameters["weight_decay"].default is None
        ):
            found[name] = value
    return dict(sorted(found.items()))


def build(
    name: str,
    options: Mapping[str, Any],
    *,
    learning_rate: Any,
    ema_momentum: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Builds an optimizer by its name.

    Args:
        name: "Momentum" or a class of ``keras.optimizers`` that does not
            decay weights unasked.
        options: its own arguments. Those that the training loop does itself
            (clipping, weight decay, moving average, ...) are refused.
        learning_rate: float or Keras ``LearningRateSchedule``.
        ema_momentum: momentum of a moving average of the weights, in [0, 1);
            0 keeps none. The average starts at the weights after the first
            update.

    Returns:
        The optimizer, not built yet.

    Raises:
        ValueError: if a name or an option is unknown, refused or out of
            range.

    Source: ours.
    """
    classes = _classes()
    if name not in classes:
        raise ValueError(
            f"no optimizer {name!r}; there are {', '.join(classes)}"
        )
    known = [
        key
        for key, parameter in inspect.signature(
            classes[name]
        ).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        and key not in ELSEWHERE
        and key != "name"
    ]
    for key in options:
        if key in ELSEWHERE:
            raise ValueError(
                f"optimizer option {key!r} is not taken; set {ELSEWHERE[key]}"
            )
        if key not in known:
            raise ValueError(
                f"optimizer {name!r} has no option {key!r}; there are "
                f"{', '.join(known)}"
            )
    if not 0 <= ema_momentum < 1:
        raise ValueError(f"wanted ema_momentum in [0, 1), got {ema_momentum}")
    if isinstance(learning_rate, int):
        learning_rate = float(learning_rate)
    average: dict[str, Any] = {}
    if ema_momentum > 0:
        average = {"use_ema": True, "ema_momentum": float(ema_momentum)}
    return classes[name](learning_rate=learning_rate, **options, **average)


def _decayed_variables(
    variables: Sequence[Any], exclude: Sequence[str]
) -> list[bool]:
    _check_names("exclude", exclude, variables)
    return [
        not any(_matches(variable.path, name) for name in exclude)
        for variable in variables
    ]


def _check_decay(weight_decay: Any) -> None:
    if isinstance(weight_decay, int | float) and not weight_decay >= 0:
        raise ValueError(
            f"wanted a weight_decay of 0 or more, got {weight_decay}"
        )


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def decayed(
    grads: Sequence[Any],
    variables: Sequence[Any],
    *,
    weight_decay: Any,
    exclude: Sequence[str] = (),
    values: Sequence[Any] | None = None,
    of: str = "square",
) -> list[Any]:
    """Adds the gradient of the weight decay to each variable's gradient.

    The penalty is ``weight_decay / 2 * sum(w ** 2)``, so its gradient is
    ``weight_decay * w``. It passes through clipping and momentum, unlike the
    decoupled form.

    Args:
        grads: one gradient per variable; None stays None.
        variables: Keras variables; their paths say what is excluded.
        weight_decay: 0 or more; may be a scalar tensor.
        exclude: variables to leave alone, each by a component of its path
            (``"bias"``, ``"logits"``) or by its last components
            (``"logits/bias"``).
        values: the variables' values, where these are not in the variables
            (a stateless step); in the same order.
        of: "square", or "norm": the penalty is ``weight_decay`` times the
            Euclidean norm of each variable, its gradient
            ``weight_decay * w / norm(w)``.

    Returns:
        One gradient per variable.

    Raises:
        ValueError: if ``weight_decay`` is negative or an excluded name
            matches no variable.

    Source: tensor2tensor and TensorFlow's l2_loss use the half form of the
    square; the norm is an error of Wagner et al. 2023.
    """
    _check_decay(weight_decay)
    chosen = _decayed_variables(variables, exclude)
    if _is_zero(weight_decay):
        return list(grads)
    result = []
    for grad, value, take in zip(
        grads,
        variables if values is None else values,
        chosen,
        strict=True,
    ):
        if grad is not None and take:
            value = ops.convert_to_tensor(value)
            rate = ops.convert_to_tensor(weight_decay, dtype=value.dtype)
            if of == "norm":
                norm = ops.sqrt(ops.sum(ops.square(value)))
                rate = rate / ops.maximum(norm, _LEAST_NORM)
            grad = ops.add(ops.convert_to_tensor(grad), rate * value)
        result.append(grad)
    return result


def global_norm(grads: Sequence[Any]) -> Any:
    """Gives the Euclidean norm of all gradients taken as one vector.

    Args:
        grads: gradients of any shapes; None counts as 0.

    Returns:
        float32 scalar.

    Source: Pascanu et al. 2013.
    """
    total = ops.zeros((), dtype="float32")
    for grad in grads:
        if grad is not None:
            grad = ops.cast(ops.convert_to_tensor(grad), "float32")
            total = total + ops.sum(ops.square(grad))
    return ops.sqrt(total)


def clipped(grads: Sequence[Any], max_norm: Any) -> list[Any]:
    """Scales all gradients so that their global norm is at most a bound.

    Args:
        grads: the whole gradients, summed over replicas; None stays None.
        max_norm: the bound; 0 leaves the gradients as they are.

    Returns:
        One gradient per input, all times ``min(1, max_norm / norm)``. If the
        norm is not finite every entry becomes NaN, so that a run stops
        instead of going on with a silent zero.

    Raises:
        ValueError: if the bound is negative.

    Source: Pascanu et al. 2013; Mueller et al. 2019, App. A.2 (1.0).
    """
    if isinstance(max_norm, int | float) and not max_norm >= 0:
        raise ValueError(f"wanted a clipping norm of 0 or more, got {max_norm}")
    if _is_zero(max_norm):
        return list(grads)
    norm = global_norm(grads)
    bound = ops.convert_to_tensor(max_norm, dtype=norm.dtype)
    scale = ops.where(
        ops.isfinite(norm), bound / ops.maximum(norm, bound), float("nan")
    )
    result = []
    for grad in grads:
        if grad is not None:
            grad = ops.convert_to_tensor(grad)
            grad = grad * ops.cast(scale, grad.dtype)
        result.append(grad)
    return result
