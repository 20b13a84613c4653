"""Translation: a sequence-to-sequence network trained on sentence pairs."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import kernels, seeds
from ls_tf.decoding import search
from ls_tf.measuring import token_statistics
from ls_tf.measuring.translator import ModelTranslator
from ls_tf.objective import label_smoothing
from ls_tf.objective import loss as objective
from ls_tf.pipeline import batching, corpus, plan
from ls_tf.pipeline.usage import LeftOut, Usage
from ls_tf.pipeline.vocabulary import Subwords
from ls_tf.protocols import (
    Computation,
    Decoding,
    Inference,
    Sums,
    Tensor,
    Translator,
)
from ls_tf.spec import ExperimentSpec, Part, SpecError, bounds, registry
from ls_tf.tasks import distillation
from ls_tf.tasks.distillation import Teacher

_SIDES = ("source", "target")


def build_model(spec: ExperimentSpec, vocabulary_size: int) -> keras.Model:
    """Builds the network of a specification, freshly initialised.

    Args:
        spec: the experiment.
        vocabulary_size: V, shared by both languages.

    Returns:
        keras.Model: see ``models.transformer.build``.

    Raises:
        ValueError: an option out of range.

    Source: ours.
    """
    before = keras.config.dtype_policy()
    if spec.train.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return registry.get("ls_tf.models", spec.model.name).build(
            **spec.model.options,
            vocabulary_size=vocabulary_size,
            seed=seeds.derive(spec.seed, "model"),
        )
    finally:
        keras.config.set_dtype_policy(before)


def checked_loss(spec: ExperimentSpec) -> objective.Loss:
    """Gives a translation's loss, behind all that is refused without data.

    Args:
        spec: the experiment.

    Returns:
        Loss: with the run's numbers.

    Raises:
        SpecError: a field is of no use to texts, or the loss is none of
            theirs; one line.

    Source: ours.
    """
    if spec.train.remat:
        raise SpecError(
            "train.remat: wanted false, a Transformer keeps its activations"
        )
    data = spec.data
    if data.has_label_noise or data.tail_power is not None or data.classes:
        raise SpecError(
            "data.label_kept, data.label_transition, data.tail_power, "
            "data.classes: wanted a data set of "
            f"images, {spec.data.name} holds texts"
        )
    if spec.train.global_batch_tokens is None:
        raise SpecError(
            "train.global_batch_tokens: wanted a number, sentence pairs "
            "are not counted in examples"
        )
    loss = objective.build(spec, _own_loss(spec))
    if objective.num_draws(loss) or objective.learns_targets(loss):
        raise SpecError(
            "loss.name: wanted a loss that draws and learns nothing, "
            "task 'translation' gives it no draws or targets, got "
            f"'{spec.loss.name if spec.loss else ''}'"
        )
    return loss


def open_corpus(spec: ExperimentSpec, data_dir: str | None) -> corpus.Corpus:
    """Opens the corpus of an experiment; see ``corpus.load``."""
    return corpus.load(
        registry.get("ls_tf.data", spec.data.name, "data set"),
        train=spec.data.train,
        vocabulary_size=spec.data.vocabulary_size,
        source=spec.data.source,
        data_dir=data_dir,
    )


class Translation:
    """One network trained on sentence pairs, subword by subword.

    Source: Mueller et al. 2019, App. A.3.
    """

    logged: tuple[str, ...] = ("loss", "nll", "accuracy")
    own_resident: tuple[str, ...] = ()
    one_shape = False
    steps_at_once = None

    def __init__(
        self,
        spec: ExperimentSpec,
        data_dir: str | None,
        like: "Translation | None" = None,
        teacher: Teacher | None = None,
        opened: corpus.Corpus | None = None,
    ) -> None:
        """Loads the corpus, learns or finds its subwords, builds the network.

        Args:
            spec: the experiment.
            data_dir: where the data lies, or a prepared file; None means
                TFDS's own default.
            like: a task on the same data, to share its corpus.
            teacher: the trained teacher of a student, of the same vocabulary.
            opened: the corpus, where it is open already.

        Raises:
            ValueError: the data is missing or not as its contract says, an
                option is out of range, or the teacher has other subwords.
        """
        # Before the data is read, for a loss may be refused.
        self._loss = checked_loss(spec)
        self.spec = spec
        if like is not None:
            opened = like._corpus
        self._corpus: corpus.Corpus = opened or open_corpus(spec, data_dir)
        train = self.tokens("train")
        # What the network learns to say, of each source.
        self._target = train.target
        if teacher is not None:
            distillation.same_subwords(self._corpus.digest, teacher.subwords)
            self._target = distillation.targets(spec, teacher, train.target)
        self._batch_tokens = spec.train.global_batch_tokens or 0  # checked
        self._plan = batching.BucketPlan(
            train.source.lengths,
            self._target.lengths,
            batch_tokens=self._batch_tokens,
            max_length=spec.data.max_length,
            seed=spec.seed,
        )
        self.data_used: Mapping[str, Usage] = (
            self._usage() if like is None else like.data_used
        )
        self.batch_sizes = tuple({s.rows for s in self._plan.shapes})
        self.total_steps = self._num_steps()
        self.resident: Mapping[str, np.ndarray] = {
            f"{side}_{name}": array
            for side, ragged in (
                ("source", train.source),
                ("target", self._target),
            )
            for name, array in (
                ("tokens", ragged.tokens),
                ("start", ragged.offsets[:-1].astype(np.int32)),
                ("length", ragged.lengths.astype(np.int32)),
            )
        }
        self.hyperparameters: Mapping[str, float] = objective.hyperparameters(
            self._loss
        )
        self._vocabulary_size = self._corpus.vocabulary_size
        objective.check_classes(self._loss, self._vocabulary_size)
        self.model = build_model(spec, self._vocabulary_size)
        self._teacher: keras.Model | None = (
            self._taught_by(teacher)
            if teacher is not None and self._loss.needs_teacher
            else None
        )
        counts = self._target.counts(self._vocabulary_size)
        self._prior = (counts / len(self._target.tokens)).astype(np.float32)
        self._decoders: dict[Decoding, Computation] = {}

    def _taught_by(self, teacher: Teacher) -> keras.Model:
        """Builds the teacher; its weights are data of the compiled step.

        As constants they would be in each of the programs for many shapes.
        """
        model = build_model(teacher.spec, self._vocabulary_size)
        teacher.load(model)
        model.trainable = False
        weights = {
            f"teacher/{number}": ops.convert_to_numpy(variable)
            for number, variable in enumerate(model.weights)
        }
        self.resident = {**self.resident, **weights}
        self.own_resident = tuple(weights)
        return model

    def _teacher_logits(
        self, resident: Mapping[str, Tensor], batch: Mapping[str, Tensor]
    ) -> Tensor:
        """Float32 [B, T, V]: given the right subwords before, no dropout."""
        teacher: Any = self._teacher
        weights = [
            (variable, resident[f"teacher/{number}"])
            for number, variable in enumerate(teacher.weights)
        ]
        with keras.StatelessScope(state_mapping=weights):
            outputs = teacher(dict(batch), training=False)
        return ops.cast(outputs["logits"], "float32")

    def _usage(self) -> dict[str, Usage]:
        """Says what is used; refuses data of which too much is left out."""
        data = self.spec.data
        used: dict[str, Usage] = {}
        for role in ("calibrate", "report", "train"):
            split = getattr(data, role)
            used[split] = self.tokens(role).usage
            if role == "train" and self._plan.left_out:
                used[split] = self._without_long(used[split])
            used[split].refuse(f"{data.name}/{split}", data.allow_left_out)
        learning = dataclasses.replace(
            self._corpus.learning, sha256=self._corpus.digest
        )
        if self.spec.teacher is not None and self.spec.teacher.translates:
            used["translations"] = corpus.translated(self._target)
        return {**used, "subwords": learning}

    def _without_long(self, used: Usage) -> Usage:
        """Leaves out the pairs that are too long to be trained on."""
        train, longest = self.tokens("train"), self.spec.data.max_length
        longer = np.maximum(train.source.lengths, self._target.lengths)
        long = LeftOut(
            f"longer than {longest} subwords",
            self._plan.left_out,
            f"pair {np.argmax(longer > longest) + 1}",
        )
        return dataclasses.replace(
            used,
            examples=used.examples - long.count,
            left_out=(*used.left_out, long),
        )

    def _num_steps(self) -> int:
        train = self.spec.train
        if train.steps is not None:
            return train.steps
        if train.epochs is None:
            raise SpecError("train: wanted steps or epochs, got neither")
        steps = math.ceil(train.epochs * self._plan.steps_per_epoch)
        bounds.check_steps(steps)
        return steps

    # --- Training -----------------------------------------------------------

    def plan(self, start: int, count: int) -> Mapping[str, np.ndarray]:
        """See ``Task.plan``; positions are given to each pair of a batch."""
        steps = self._plan.steps(start, count)
        shape = steps["index"].shape
        positions = {
            name: np.broadcast_to(
                value[:, None, :], (*shape, value.shape[-1])
            ).copy()
            for name, value in steps.items()
            if name != "index"
        }
        return {"index": steps["index"], **positions}

    def feed(
        self, start: int, count: int, part: tuple[int, int] = (0, 1)
    ) -> Mapping[str, np.ndarray]:
        """See ``Task.feed``."""
        return plan.part_of(self.plan(start, count), part)

    def epoch(self, step: int) -> float:
        """See ``Task.epoch``."""
        return step / self._plan.steps_per_epoch

    def batch(
        self, resident: Mapping[str, Tensor], draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """See ``Task.batch``: ``source`` [B, S], ``target`` [B, T], ids.

        A student's has ``teacher_logits`` [B, T, V] beside them.
        """
        batch: dict[str, Tensor] = {}
        for side in _SIDES:
            index, position = draws["index"], draws[f"{side}_position"]
            start = ops.take(resident[f"{side}_start"], index, axis=0)
            length = ops.take(resident[f"{side}_length"], index, axis=0)
            inside = position < length[:, None]
            at = ops.where(inside, start[:, None] + position, 0)
            ids = ops.take(resident[f"{side}_tokens"], at, axis=0)
            batch[side] = ops.where(inside, ids, 0)
        if self._teacher is not None:
            logits = self._teacher_logits(resident, batch)
            return {**batch, "teacher_logits": logits}
        return batch

    def loss(
        self, batch: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
    ) -> Sums:
        """See ``Task.loss``: sums over real subwords; padding weighs 0."""
        target = batch["target"]
        logits = self._logits(batch, training=True)
        loss = objective.with_numbers(self._loss, hyperparameters)
        losses = loss(
            objective.Answers(
                target, logits, self._prior, batch.get("teacher_logits")
            )
        )
        weight = ops.cast(target != 0, "float32")
        right = ops.cast(kernels.argmax(logits) == target, "float32")
        return {
            "loss": self.spec.train.loss_scale * ops.sum(weight * losses),
            "weight": ops.sum(weight),
            "nll": ops.sum(weight * label_smoothing.nll(target, logits)),
            "accuracy": ops.sum(weight * right),
        }

    def _logits(self, batch: Mapping[str, Tensor], *, training: bool) -> Tensor:
        outputs = self.model(
            {side: batch[side] for side in _SIDES}, training=training
        )
        return ops.cast(outputs["logits"], "float32")

    def check_stack(self) -> None:
        """See ``Task.check_stack``.

        Raises:
            SpecError: batches of many shapes are in another order for each.
        """
        raise SpecError(
            "--stack: translation models cannot share one program: their "
            "batches have different shapes"
        )

    # --- What evaluators ask for --------------------------------------------

    @property
    def subwords(self) -> Subwords:
        """The subword model of both languages.

        Raises:
            SpecError: sentencepiece is not installed.
        """
        if self._corpus.subwords is None:
            raise SpecError(
                "translating and scoring need sentencepiece, which is not "
                "installed; --mode=train does without"
            )
        return self._corpus.subwords

    @property
    def target_language(self) -> str:
        """The language of the translations, as in ``de``."""
        return self._corpus.info.target_language

    def tokens(self, role: str) -> corpus.Tokens:
        """The sentence pairs of a role's split, as subwords and as text."""
        return self._corpus.split(getattr(self.spec.data, role))

    def evaluation_batches(
        self, role: str, chosen: np.ndarray
    ) -> Sequence[Mapping[str, np.ndarray]]:
        """Which of some chosen pairs are evaluated together; each once."""
        tokens = self.tokens(role)
        return batching.evaluation_batches(
            tokens.source.lengths[chosen],
            tokens.target.lengths[chosen],
            batch_tokens=self._batch_tokens,
            # Every shape is a program to make: few pairs get few.
            most_shapes=min(8, 1 + len(chosen) // 128),
        )

    def next_token_logits(
        self, batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """``logits`` float32 [B, T, V] given the right subwords before."""
        return {"logits": self._logits(batch, training=False)}

    def penultimate(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``penultimate`` float32 [B, T, D] given the right subwords."""
        outputs = self.model(
            {side: batch[side] for side in _SIDES}, training=False
        )
        return {"penultimate": ops.cast(outputs["penultimate"], "float32")}

    def next_token_statistics(
        self, batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What the model says of each next subword at some temperatures.

        Args:
            batch: ``source``, ``target`` ids, and ``temperature`` [R].

        Returns:
            dict: ``nll`` and ``confidence`` float32 [B, T, R], ``correct``
            bool [B, T].
        """
        return token_statistics.next_token(
            self._logits(batch, training=False),
            batch["target"],
            batch["temperature"],
        )

    def replicated_statistics(
        self, batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Statistics of a batch with padding, as the replication takes them.

        Args:
            batch: ``source``, ``target`` ids, ``temperature`` [R], and
                ``positions``, int scalar: how many of the T columns there are
                in the batch of the replication.

        Returns:
            dict: see ``token_statistics.replicated``.
        """
        return token_statistics.replicated(
            self._logits(batch, training=False),
            batch["target"],
            batch["temperature"],
            batch["positions"],
        )

    def decoder(self, how: Decoding) -> Computation:
        """The search as a function of ``source`` ids and ``temperature``.

        Args:
            how: beam and length penalty; the temperature is an argument of
                the function, so that one program serves a sweep.

        Returns:
            Function giving ``ids`` [B, L], ``length`` [B] and ``score`` [B]
            of the best hypothesis of each sentence.
        """
        key = dataclasses.replace(how, temperature=1.0)
        if key not in self._decoders:
            self._decoders[key] = self._make_decoder(key)
        return self._decoders[key]

    def _make_decoder(self, how: Decoding) -> Computation:
        def decode(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            source = batch["source"]
            length = ops.sum(ops.cast(source != 0, "int32"), axis=1)
            longest = ops.shape(source)[1] + how.extra_length
            memory = self.model.encode(source)
            step, temperature = self.model.step, batch["temperature"]
            if how.divides == "activations":
                step = functools.partial(step, divisor=temperature)
                temperature = ops.ones_like(temperature)
            beams = search.beam_search(
                step,
                self.model.start(memory, how.beam_size, longest, None),
                # A row of padding only fills the batch up.
                max_lengths=ops.where(length > 0, length + how.extra_length, 0),
                max_length=longest,
                beams=how.beam_size,
                alpha=how.length_penalty,
                temperature=temperature,
            )
            return {
                "ids": beams["ids"][:, 0],
                "length": beams["lengths"][:, 0],
                "score": beams["scores"][:, 0],
            }

        return decode

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See ``Task.predict``: ``next_token_logits``."""
        return self.next_token_logits(batch)

    def view(self, network: Inference) -> Translator:
        """See ``Task.view``."""
        return ModelTranslator(self, network)


def _own_loss(spec: ExperimentSpec) -> Part:
    """The loss of an experiment that names none."""
    if spec.teacher is not None and spec.teacher.answers:
        return distillation.own_loss(spec)
    return Part("label_smoothing", {"spread": spec.train.smoothing})


def build(
    spec: ExperimentSpec,
    *,
    data_dir: str | None,
    teacher: Teacher | None = None,
    like: Translation | None = None,
) -> Translation:
    """Builds the task; see ``Translation``."""
    if spec.teacher is not None and teacher is None:
        raise SpecError("task 'translation' needs its trained teacher")
    opened = None if teacher is None else teacher.corpus
    return Translation(spec, data_dir, like, teacher, opened)
