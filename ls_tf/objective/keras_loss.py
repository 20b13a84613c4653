"""The losses of ``ls_tf.losses`` for Keras's ``compile`` and ``fit``."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf.analysis import given, outputs
from ls_tf.objective import guarded
from ls_tf.objective import loss as objective
from ls_tf.objective.loss import Answers
from ls_tf.spec import registry

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
_NO_CLASS = np.iinfo(np.int32).min  # the losses refuse it, or give NaN
_MOST_DRAW = 2**31 - 1


@keras.saving.register_keras_serializable("ls_tf")
class KerasLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of ``ls_tf.losses`` on logits and class ids.

    It is that loss, so its numbers are those of the recorded runs. A student's
    loss (``soft_targets``, ``kl_divergence``, ``logit_matching``) wants
    targets that hold the teacher's logits: ``ls_tf.distillation.packed``.

    ``disturb_label`` draws with a ``keras.random.SeedGenerator`` of its own,
    in ``evaluate`` too: Keras does not tell a loss which of the two it is
    called for. A model that is loaded begins its draws anew. With JAX it is
    refused: a compiled ``fit`` keeps there what is the model's, the
    optimizer's and the metrics', so that each step would draw the same.

    ``online_label_smoothing`` is refused with every backend. Its targets are
    those of the answers to the training examples of one epoch, and a loss of
    Keras knows neither where an epoch ends nor which examples are those of
    validation. It is there in NumPy, and for runs of ls_tf.

    Source: ours; the formulas: see the loss.
    """

    def __init__(
        self,
        loss: str,
        *,
        ignore_class: int | None = None,
        prior: Sequence[float] | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        """Makes the loss.

        Args:
            loss: a name of ``ls_tf.losses``, such as "label_smoothing".
            ignore_class: a label that does not count, such as -1 or a
                padding; the mean is over those that count.
            prior: float [K], how often each class occurs, for a loss that
                mixes it in.
            reduction: Keras's.
            name: of the loss; default: ``loss``.
            dtype: of the logits; Keras's default, but float32 in place of a
                half precision, which class ids above 256 do not go through.
            seed: of what ``disturb_label`` draws; None for a new one.
            **options: the loss's fields, such as ``alpha=0.1``; its own
                ``reduction``, over the K logits, is ``over_logits``.

        Raises:
            ValueError: no such loss or option, an option out of range, or a
                loss that wants more of a run than labels and logits; one
                line.
        """
        super().__init__(
            name=name or loss, reduction=reduction, dtype=_wide(dtype)
        )
        made: Any = registry.get("ls_tf.losses", loss, "loss").Loss
        self._of = loss
        self._draws = self._seeds(objective.num_draws(made), seed)
        if objective.learns_targets(made):
            raise ValueError(
                f"loss '{loss}' learns its targets from epoch to epoch of a "
                "run of ls_tf: it cannot be had for Keras's compile"
            )
        if ignore_class is not None:
            outputs.check_whole(ignore_class, "ignore_class")
            ignore_class = int(ignore_class)
        options = {  # of NumPy they could not be saved
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in options.items()
        }
        self.ignore_class, self._options = ignore_class, dict(options)
        self._prior: Any = None
        if prior is not None:
            self._prior = given.array(prior, "a prior").astype(np.float32)
        if "over_logits" in options:
            options["reduction"] = options.pop("over_logits")
        if "transition" in options:  # a list, where it was saved
            rows = options["transition"]
            options["transition"] = tuple(map(tuple, rows))
        try:
            self._loss = made(**options)
        except TypeError as error:
            words = str(error).removeprefix("Loss.__init__() ")
            words = words.replace("'reduction'", "'over_logits'")
            raise ValueError(f"loss '{loss}': {words}") from None
        except ValueError as error:
            raise ValueError(f"loss '{loss}': {error}") from None
        if prior is None and objective.needs_frequencies(self._loss):
            raise ValueError(
                f"loss '{loss}': wanted prior=, how often each class occurs"
            )

    def _seeds(self, count: int, seed: int | None) -> Any:
        """What numbers are drawn with, if any are."""
        if not count:
            if seed is not None:
                raise ValueError(f"loss '{self._of}' draws nothing: no seed")
            return None
        if keras.backend.backend() == "jax":
            raise ValueError(
                f"loss '{self._of}' draws anew at every step, for which "
                "Keras's compile with JAX keeps no state: take TensorFlow or "
                "PyTorch as Keras's backend"
            )
        if seed is not None:
            outputs.check_count(seed, "a seed", 0)
        return keras.random.SeedGenerator(seed)

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Gives the loss, reduced; see ``keras.losses.Loss``.

        Warns:
            ProbabilityWarning: the predictions are those of a softmax.
        """
        y_true, y_pred = (
            np.asarray(y) if isinstance(y, list | tuple) else y
            for y in (y_true, y_pred)
        )
        self._notice(y_pred)
        if self.ignore_class is not None and self.reduction in _MEANS:
            sample_weight = self._of_valid(y_true, y_pred, sample_weight)
        return super().__call__(y_true, y_pred, sample_weight)

    def _notice(self, y_pred: Any) -> None:
        """Warns of probabilities, which a compiled step has no values of."""
        is_softmax = getattr(y_pred, "_keras_logits", None) is not None
        if not is_softmax:
            values = _seen(y_pred)
            is_softmax = values is not None and given.look_like_probabilities(
                values
            )
        if is_softmax:
            given.warn(
                f"loss '{self._of}' wants logits, and is given what looks "
                "like the answer of a softmax: take the softmax away"
            )

    def _of_valid(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Weights that make of Keras's mean one over what counts."""
        labels, _ = self._targets(ops.convert_to_tensor(y_true), y_pred)
        valid = ops.cast(
            ops.not_equal(labels, self.ignore_class), self.dtype
        )  # [...]
        scale: Any = 1.0
        if self.reduction != "mean_with_sample_weight":
            count, counted = ops.cast(ops.size(valid), self.dtype), valid
            mask = getattr(y_pred, "_keras_mask", None)
            if mask is not None and len(mask.shape) == len(valid.shape):
                # Keras makes of its mean one over the mask.
                mask = ops.cast(mask, self.dtype)
                count, counted = ops.sum(mask), valid * mask
            scale = count / ops.maximum(ops.sum(counted), 1)
        if sample_weight is None:
            return valid * scale
        weight = ops.cast(sample_weight, self.dtype)
        while len(weight.shape) < len(valid.shape):
            weight = ops.expand_dims(weight, axis=-1)
        if len(weight.shape) > len(valid.shape):
            weight = ops.squeeze(weight, axis=-1)
        return weight * valid * scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example.

        Args:
            y_true: int [...] or [..., 1], class ids; of a student's loss
                [..., 1 + K], see ``ls_tf.distillation.packed``.
            y_pred: float [..., K], logits.

        Returns:
            float [...]; 0 where the label is ``ignore_class``.

        Raises:
            ValueError: targets of another shape.
        """
        labels, teacher = self._targets(y_true, y_pred)
        valid = None
        if self.ignore_class is not None:
            valid = ops.not_equal(labels, self.ignore_class)
            labels = ops.where(valid, labels, 0)
        count = int(y_pred.shape[-1])
        prior = self._prior
        if prior is None:
            prior = np.full(count, 1 / count, np.float32)
        if prior.shape != (count,):
            raise ValueError(
                f"wanted a prior [{count}], got shape {prior.shape}"
            )
        draws = None
        if self._draws is not None:
            draws = keras.random.randint(
                (*ops.shape(labels), objective.num_draws(self._loss)),
                0,
                _MOST_DRAW,
                dtype="int32",
                seed=self._draws,
            )
        losses = self._loss(Answers(labels, y_pred, prior, teacher, draws))
        if valid is None:
            return losses
        return ops.where(valid, losses, ops.zeros_like(losses))

    def _targets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Class ids int32 [...], and the teacher's logits [..., K] or None."""
        rank, count = len(y_pred.shape), y_pred.shape[-1] if y_pred.shape else 0
        if count is None or count < 2:
            raise ValueError(
                f"loss '{self._of}': wanted logits [..., K] of 2 classes or "
                f"more, got shape {tuple(y_pred.shape)}"
            )
        width = y_true.shape[-1] if len(y_true.shape) == rank else None
        teacher = None
        if self._loss.needs_teacher:
            if width != count + 1:
                raise ValueError(
                    f"loss '{self._of}': wanted targets [..., {count + 1}] of "
                    "ls_tf.distillation.packed, got shape "
                    f"{tuple(y_true.shape)}"
                )
            teacher = ops.cast(y_true[..., 1:], y_pred.dtype)
            y_true = y_true[..., 0]
        elif width == 1:
            y_true = ops.squeeze(y_true, axis=-1)
        elif len(y_true.shape) != rank - 1:
            raise ValueError(
                f"loss '{self._of}': wanted class ids like logits without "
                f"their last axis, got shape {tuple(y_true.shape)} for "
                f"{tuple(y_pred.shape)}"
            )
        # Keras makes floats of them, exact up to 2**24.
        labels = ops.cast(y_true, "int32")
        is_whole = ops.equal(ops.cast(labels, y_true.dtype), y_true)
        values = _seen(is_whole)
        if values is not None and not values.all():
            raise ValueError(
                f"loss '{self._of}': wanted class ids as whole numbers, got "
                f"{ops.convert_to_numpy(y_true)[~values][0]}"
            )
        return ops.where(is_whole, labels, _NO_CLASS), teacher

    def get_config(self) -> dict[str, Any]:
        """What ``from_config`` makes it of again."""
        more: Mapping[str, Any] = {
            "loss": self._of,
            "ignore_class": self.ignore_class,
            "prior": None if self._prior is None else self._prior.tolist(),
        }
        if self._draws is not None:
            more = {**more, "seed": self._draws.get_config()["seed"]}
        return {**super().get_config(), **more, **self._options}


def _seen(values: Any) -> np.ndarray | None:
    """As ``guarded.seen``; None of what Keras builds a model with too."""
    found = guarded.seen(values)
    return None if found is None or found.dtype.kind == "O" else found


def _wide(dtype: Any) -> str:
    """The type to compute in, of at least 32 bits."""
    policy = keras.dtype_policies.get(dtype or keras.backend.floatx())
    wanted = str(policy.compute_dtype)
    if wanted in ("float16", "bfloat16"):
        return "float32"
    if wanted not in ("float32", "float64"):
        raise ValueError(f"wanted a dtype of float32 or float64, got {wanted}")
    return wanted
