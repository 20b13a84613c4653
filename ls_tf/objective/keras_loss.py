"""The losses of ``ls_tf.losses`` for Keras's ``compile`` and ``fit``."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf.objective import loss as objective
from ls_tf.objective.loss import Answers
from ls_tf.spec import registry

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


@keras.saving.register_keras_serializable("ls_tf")
class KerasLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of ``ls_tf.losses`` on logits and class ids.

    It is that loss, so its numbers are those of the recorded runs. A student's
    loss (``soft_targets``, ``kl_divergence``, ``logit_matching``) wants
    targets that hold the teacher's logits: ``ls_tf.distillation.packed``.

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
            dtype: of the logits; Keras's default.
            **options: the loss's fields, such as ``alpha=0.1``; its own
                ``reduction``, over the K logits, is ``over_logits``.

        Raises:
            ValueError: no such loss or option, an option out of range, or a
                loss that wants more of a run than labels and logits; one
                line.
        """
        super().__init__(name=name or loss, reduction=reduction, dtype=dtype)
        made: Any = registry.get("ls_tf.losses", loss, "loss").Loss
        if objective.num_draws(made) or objective.learns_targets(made):
            raise ValueError(
                f"loss '{loss}' draws or learns its targets in a run of "
                "ls_tf: it cannot be had for Keras's compile"
            )
        self.ignore_class, self._options = ignore_class, dict(options)
        self._of, self._prior = loss, prior
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

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Gives the loss, reduced; see ``keras.losses.Loss``."""
        if self.ignore_class is not None and self.reduction in _MEANS:
            sample_weight = self._of_valid(y_true, y_pred, sample_weight)
        return super().__call__(y_true, y_pred, sample_weight)

    def _of_valid(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Weights that make of Keras's mean one over what counts."""
        labels, _ = self._targets(ops.convert_to_tensor(y_true), y_pred)
        valid = ops.cast(
            ops.not_equal(labels, self.ignore_class), self.dtype
        )  # [...]
        scale: Any = 1.0
        if self.reduction != "mean_with_sample_weight":
            count = ops.cast(ops.size(valid), self.dtype)
            scale = count / ops.maximum(ops.sum(valid), 1)
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
        prior = np.full(count, 1 / count, np.float32)
        if self._prior is not None:
            prior = np.asarray(self._prior, np.float32)
            if prior.shape != (count,):
                raise ValueError(
                    f"wanted a prior [{count}], got shape {prior.shape}"
                )
        losses = self._loss(Answers(labels, y_pred, prior, teacher))
        if valid is None:
            return losses
        return ops.where(valid, losses, ops.zeros_like(losses))

    def _targets(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Class ids int32 [...], and the teacher's logits [..., K] or None."""
        rank, count = len(y_pred.shape), y_pred.shape[-1]
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
        return ops.cast(y_true, "int32"), teacher

    def get_config(self) -> dict[str, Any]:
        """What ``from_config`` makes it of again."""
        more: Mapping[str, Any] = {
            "loss": self._of,
            "ignore_class": self.ignore_class,
            "prior": None if self._prior is None else list(self._prior),
        }
        return {**super().get_config(), **more, **self._options}
