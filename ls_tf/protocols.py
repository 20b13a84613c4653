"""What a task gives to an engine, and what both give to an evaluator.

A task says what to compute: a pure loss over a batch, as sums. An engine says
how: it holds the variables, runs the steps and returns host arrays. Neither
knows the other's insides, so that one task runs on every engine. A task's view
of a trained network is what its evaluators see: a ``Classifier`` or a
``Translator``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from ls_tf.spec import ExperimentSpec

if TYPE_CHECKING:
    import keras

    from ls_tf.pipeline.ragged import Ragged
    from ls_tf.pipeline.text_pairs import Pairs
    from ls_tf.pipeline.usage import Usage

Tensor = Any
Sums = dict[str, Tensor]
Arrays = Mapping[str, np.ndarray]


@runtime_checkable
class Batches(Protocol):
    """Examples that do not fit in memory: read anew whenever asked for."""

    num_examples: int

    def batches(self) -> Iterator[Arrays]:
        """Gives them in order, each once: name -> [n, ...].

        n is the same for all but the last, which may have fewer.
        """


Computation = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Inference(Protocol):
    """A network whose model holds the weights that are measured."""

    def predict(self, examples: Arrays | Batches) -> dict[str, np.ndarray]:
        """Applies ``Task.predict`` to stored examples, to each once.

        Args:
            examples: name -> [N, ...], or batches of them.

        Returns:
            Outputs [N, ...] on the host.
        """

    def compute(
        self, function: Computation, batches: Sequence[Arrays]
    ) -> list[dict[str, np.ndarray]]:
        """Applies a pure function of the model's variables to batches.

        Args:
            function: arrays by name -> arrays by name, in ``keras.ops``;
                compiled once for each set of shapes. The same object should
                come each time.
            batches: host arrays of static shapes.

        Returns:
            What the function made of each batch, on the host.
        """


@runtime_checkable
class Classifier(Protocol):
    """A trained classifier as its evaluators see it: arrays on the host."""

    spec: ExperimentSpec
    model: "keras.Model"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the labels."""

    def labels(self, role: str) -> np.ndarray:
        """int32 [N]: the labels of a role's split."""

    def outputs(
        self, role: str, index: np.ndarray | None = None
    ) -> Mapping[str, np.ndarray]:
        """The model's outputs on a role's split, or on some examples of it.

        Returns:
            dict: ``logits`` [N, K] and ``penultimate`` [N, D], float32, in
            the split's order, every example once.
        """

    def image_shape(self) -> tuple[int, ...]:
        """(H, W, C) of the images as they are stored.

        Raises:
            SpecError: they are photographs of many shapes.
        """

    def outputs_of(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """The model's outputs on any images, uint8 [n, *image_shape]."""

    def other_data(self, name: str, split: str) -> Arrays:
        """Another data set, its images scaled to ``image_shape``.

        Returns:
            dict: ``image`` uint8 [n, *image_shape] and ``label`` int32 [n].

        Raises:
            SpecError: it is not there, or not of images in memory.
        """

    @property
    def num_views(self) -> int | None:
        """How many augmented views an image has, as training sees them.

        1 without augmentation; None where they are continuous.
        """

    def views(
        self,
        role: str,
        index: np.ndarray,
        view: np.ndarray | np.random.Generator,
    ) -> np.ndarray:
        """The model's logits on augmented views, in inference mode.

        Args:
            role: train, calibrate or report.
            index: int [n], positions in the role's split.
            view: int [n], which view of each, below ``num_views``; or a
                generator to draw one of each, as training does.

        Returns:
            float32 [n, K].

        Raises:
            ValueError: there is no such example or view.
        """

    def teacher_logits(self, *, every_view: bool) -> np.ndarray | None:
        """The logits of a student's teacher on the training split.

        Args:
            every_view: on all augmented views, in their order; else on the
                images as they are evaluated.

        Returns:
            float [N, V, K], V of 1 or ``num_views``; None for a network
            without a teacher, or where the views were not stored.
        """


@dataclass(frozen=True)
class Decoding:
    """How translations are searched for.

    Attributes:
        beam_size: hypotheses kept; 1 is greedy.
        length_penalty: exponent of ((5 + length) / 6).
        temperature: divides the logits before the log-softmax.
        extra_length: a translation may be this much longer than its source,
            in subwords.
        divides: what the temperature divides: the logits, or the activations
            that they are made of, which leaves their bias as it is.

    Source: Mueller et al. 2019, App. A.3, and tensor2tensor's defaults for
    what it leaves open.
    """

    beam_size: int = 4
    length_penalty: float = 0.6
    temperature: float = 1.0
    extra_length: int = 50
    divides: Literal["logits", "activations"] = "logits"


@dataclass(frozen=True)
class Translations:
    """What a search found for N sentences.

    Attributes:
        ids: N lists of subword ids, without the end mark; the best each.
        scores: float32 [N]: log-probability over the length penalty.
        finished: bool [N]: whether the end mark was reached.
    """

    ids: list[list[int]]
    scores: np.ndarray
    finished: np.ndarray


@runtime_checkable
class Translator(Protocol):
    """A trained translation model as its evaluators see it.

    Splits are named by role. Their texts have ``source`` and ``target``, lists
    of sentences; their subwords ``tokens`` int32 and ``offsets`` int64.
    """

    spec: ExperimentSpec
    model: "keras.Model"

    @property
    def target_language(self) -> str:
        """The language of the translations, as in ``de``."""

    def texts(self, role: str) -> "Pairs":
        """The sentence pairs of a split, as text."""

    def targets(self, role: str) -> "Ragged":
        """The reference translations of a split, as subwords."""

    def statistics(self, role: str, temperatures: Sequence[float]) -> Arrays:
        """What the model says of each next subword, given the right ones.

        Returns:
            dict over the n real subwords of the split, in order: ``nll`` and
            ``confidence`` float32 [n, R], ``correct`` bool [n].
        """

    def with_padding(self, role: str, batch_size: int) -> Arrays:
        """The same, with padding counted as if it were text."""

    def as_replicated(
        self, role: str, batch_size: int, temperatures: Sequence[float]
    ) -> Arrays:
        """The same at some temperatures; probabilities also over positions."""

    def logits(self, role: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits [n, V] and right ids [n] of a split's first subwords."""

    def activations(self, role: str, token: int, limit: int) -> np.ndarray:
        """Penultimate activations [n, D] where a token is the next one."""

    def templates(self, ids: Sequence[int]) -> np.ndarray:
        """Rows [n, D] of the matrix that makes the logits."""

    def piece(self, token: int) -> str:
        """A subword as text; a leading U+2581 is a space."""

    def token_id(self, word: str) -> int | None:
        """The id of a word that is one subword; None if it is not."""

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Plain text of lists of subword ids."""

    def translate_role(self, role: str, how: Decoding) -> Translations:
        """Translates the sources of a split."""

    def translate_lines(
        self, lines: Sequence[str], how: Decoding, longest: int
    ) -> tuple[list[str], list[int]]:
        """Translates lines of text; says which were cut to ``longest``."""


View = Classifier | Translator


class Task(Protocol):
    """A model, its data and its loss."""

    spec: ExperimentSpec
    model: "keras.Model"
    total_steps: int
    # Examples of every size of batch that `plan` gives.
    batch_sizes: tuple[int, ...]
    # Whether all batches have one shape: one program can run many steps.
    one_shape: bool
    # The most steps of one `feed` where it holds the examples themselves;
    # None where these are resident.
    steps_at_once: int | None
    logged: tuple[str, ...]  # the sums of `loss`, less the weight
    # What stays on the device through the run: name -> [N, ...].
    resident: Mapping[str, np.ndarray]
    # Those of `resident` that another alpha, seed or teacher would change.
    own_resident: tuple[str, ...]
    # Numbers that the loss takes as arguments, so that one compiled step can
    # serve networks that differ in them.
    hyperparameters: Mapping[str, float]

    @property
    def data_used(self) -> "Mapping[str, Usage]":
        """What is used of each split that the experiment names.

        And of the sentences that subwords are learnt from ("subwords").
        """

    def plan(self, start: int, count: int) -> Mapping[str, np.ndarray]:
        """What the batches of steps start..start+count-1 are made of.

        Returns:
            dict of integer arrays [count, batch, ...]; ``index`` holds the
            example ids. Where not all batches have one shape, as many of the
            first steps as have the same one.
        """

    def feed(
        self, start: int, count: int, part: tuple[int, int] = (0, 1)
    ) -> Mapping[str, np.ndarray]:
        """What an engine gives to the device for some steps.

        Asked for in the order of the steps, it is made ahead of time.

        Args:
            start: first step.
            count: most steps.
            part: (which, of how many) equal parts of each batch, the first
                examples in part 0: what one of several processes needs.

        Returns:
            dict of arrays [steps, batch / parts, ...]: the plan, and, where
            not all examples are resident, the examples of the batches. As
            many steps as ``plan`` gives, or ``steps_at_once``.

        Raises:
            DataError: the examples cannot be had; one line.
            StoppedError: the process was asked to stop meanwhile.
        """

    def epoch(self, step: int) -> float:
        """How often the training split has been seen after some steps."""

    def batch(
        self, resident: Mapping[str, Tensor], draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Makes one batch from resident data and one step of ``feed``."""

    def loss(
        self, batch: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
    ) -> Sums:
        """Sums over a batch, in training mode.

        Args:
            batch: what ``batch`` made.
            hyperparameters: the task's own as numbers, or float32 scalars in
                their place.

        Returns:
            dict of float32 scalars: ``loss`` (what is minimised) and
            ``weight`` (what to divide by) at least; the others are logged
            divided by ``weight``.
        """

    def check_stack(self) -> None:
        """Refuses to be trained in one program with others of its kind.

        Raises:
            ValueError: something beside ``own_resident`` and
                ``hyperparameters`` would differ.
        """

    def predict(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The model's outputs in inference mode on a batch."""

    def view(self, network: Inference) -> View:
        """The trained network as evaluators see it, at the present step.

        It keeps what it has computed, however many evaluators ask.
        """
