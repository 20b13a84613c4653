"""The Transformer of tensor2tensor: its ``transformer_base``, version 3.

Source: T2T's models/transformer.py, which Mueller et al. 2019, App. A.3, names;
see docs/paper_setup_transformer.md for every number. It differs from Vaswani et
al. 2017: each sublayer normalises its input and not its output, encoder and
decoder end with a normalisation, attention has no biases, the signal of the
positions is sines and then cosines, and the first target token is predicted
from a vector of zeros.

Two options go back to Vaswani et al. 2017 and PyTorch's tutorial on it, which
Wagner et al. 2023 train: the normalisation after each sublayer, and a bias of
the logits.

Token ids: 0 is padding, whose embedding is zero.
"""

from typing import Any

import keras
from keras import ops

from ls_tf import kernels, seeds
from ls_tf.layers.attention import MASKED, causal_bias, padding_bias, sinusoids
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.initializers import PhiloxGlorotUniform
from ls_tf.layers.reference import Reference
from ls_tf.layers.transformer_blocks import (
    DecoderBlock,
    EncoderBlock,
    SharedEmbedding,
    Sizes,
    layer_norm,
)

Tensor = Any
Cache = dict[str, Any]

# Of the positions of a translation, on a CPU: more of them read less of what is
# empty, and make a larger program, which JAX always has to compile. On an
# accelerator a step would wait for its branches longer than it takes to read
# everything.
_MOST_STRETCHES = {"tensorflow": 8, "jax": 4}
# Positions of one: to read so many takes no longer than to pass a branch.
_LEAST_STRETCH = 16
_NUM_SPACES = 32  # rows of the target-space table, of which T2T has one in use
_SPACE = 0  # T2T's SpaceID.GENERIC

_BASE = {
    "hidden_size": 512,
    "filter_size": 2048,
    "num_heads": 8,
    "num_encoder_layers": 6,
    "num_decoder_layers": 6,
    "layer_dropout": 0.1,
    "attention_dropout": 0.1,
    "relu_dropout": 0.1,
}

REFERENCE = (
    Reference(
        {
            **_BASE,
            "hidden_size": 128,
            "filter_size": 512,
            "num_heads": 4,
            "num_encoder_layers": 2,
            "num_decoder_layers": 2,
            "vocabulary_size": 1000,
        },
        # 2 * 197,760 + 2 * 263,552, by the sums that the base has below;
        # 1000 * 128 + 32 * 128 + 4 * 128
        1_055_232,
        "ours: a size for tests",
    ),
    Reference(
        {
            "hidden_size": 512,
            "filter_size": 512,
            "num_heads": 8,
            "num_encoder_layers": 3,
            "num_decoder_layers": 3,
            "layer_dropout": 0.0,
            "attention_dropout": 0.0,
            "relu_dropout": 0.0,
            "vocabulary_size": 1000,
            "norm_first": False,
            "output_bias": True,
        },
        # As below, with dense layers of 2 * 512 ** 2 + 2 * 512: a layer of
        # the encoder has 1,575,936 and of the decoder 2,625,536; 1000 * 512 +
        # 1000, 32 * 512, 4 * 512.
        13_135_848,
        "Wagner et al. 2023, inner size 512; count derived",
    ),
    Reference(
        {**_BASE, "vocabulary_size": 33_708},
        # A layer of the encoder: attention 4 * 512 ** 2, dense
        # 2 * 512 * 2048 + 2048 + 512, two normalisations 4 * 512: 3,150,336.
        # Of the decoder: 4 * 512 ** 2 + 2 * 512 more: 4,199,936. Embedding
        # 33,708 * 512, target spaces 32 * 512, last normalisations 4 * 512.
        61_378_560,
        "T2T transformer_base v3 with the vocabulary of "
        "translate_ende_wmt32k; count derived",
    ),
)


def _check(sizes: dict[str, int], rates: dict[str, float]) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"wanted {name} of 1 or more, got {size}")
    hidden, heads = sizes["hidden_size"], sizes["num_heads"]
    if hidden % heads:
        raise ValueError(
            f"wanted a hidden_size that is a multiple of num_heads, got "
            f"{hidden} and {heads}"
        )
    if hidden < 4 or hidden % 2:
        raise ValueError(
            f"wanted an even hidden_size of 4 or more, got {hidden}"
        )
    if sizes["vocabulary_size"] < 2:
        raise ValueError(
            "wanted a vocabulary_size of 2 or more, got "
            f"{sizes['vocabulary_size']}"
        )
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ValueError(f"wanted {name} in [0, 1), got {rate}")


class Transformer(keras.Model):  # type: ignore[misc]
    """Encoder and decoder, with the pieces of step by step decoding."""

    def __init__(
        self,
        sizes: Sizes,
        *,
        num_encoder_layers: int,
        num_decoder_layers: int,
        vocabulary_size: int,
        output_bias: bool = False,
    ) -> None:
        """Makes all variables; see ``build`` of the module.

        Args:
            sizes: of the blocks.
            num_encoder_layers: blocks of the encoder.
            num_decoder_layers: blocks of the decoder.
            vocabulary_size: V.
            output_bias: whether the logits have one.
        """
        super().__init__(name="transformer")
        size, seed = sizes.hidden_size, sizes.seed

        def dropout(name: str) -> Dropout:
            derived = seeds.derive(seed, "dropout", name)
            return Dropout(sizes.layer_dropout, seed=derived, name=name)

        self.embedding = SharedEmbedding(
            vocabulary_size, size, seed=seed, name="embedding"
        )
        self.target_space = self.add_weight(
            name="target_space",
            shape=(_NUM_SPACES, size),
            initializer=PhiloxGlorotUniform(
                seeds=[seeds.derive(seed, "init", "target_space")]
            ),
        )
        self.encoder_dropout = dropout("encoder_dropout")
        self.encoder = [
            EncoderBlock(sizes, name=f"encoder_{number}")
            for number in range(1, num_encoder_layers + 1)
        ]
        self.encoder_norm = layer_norm(size, "encoder_norm")
        self.decoder_dropout = dropout("decoder_dropout")
        self.decoder = [
            DecoderBlock(sizes, name=f"decoder_{number}")
            for number in range(1, num_decoder_layers + 1)
        ]
        # float32 whatever the policy, as the logits that are made of it.
        self.decoder_norm = layer_norm(size, "decoder_norm", dtype="float32")
        self.output_bias = (
            self.add_weight(
                name="output_bias",
                shape=(vocabulary_size,),
                initializer="zeros",
                autocast=False,
            )
            if output_bias
            else None
        )
        self._hidden_size = size
        self.built = True

    def output_matrix(self) -> Tensor:
        """What the penultimate activations are multiplied with.

        Returns:
            float32 [V, D]: the embedding; a row is a token's template.
        """
        return ops.convert_to_tensor(self.embedding.table)

    def call(
        self, inputs: dict[str, Tensor], training: bool = False
    ) -> dict[str, Tensor]:
        """Predicts every target token from those before it.

        Args:
            inputs: ``source`` int [B, S] and ``target`` int [B, T].
            training: whether to drop.

        Returns:
            dict: ``logits`` float32 [B, T, V], at t of target token t, and
            ``penultimate`` float32 [B, T, D], whose product with
            ``output_matrix``, and the bias, they are.
        """
        memory = self.encode(inputs["source"], training=training)
        target = inputs["target"]
        x = self.embedding(target)
        # The start symbol is zeros.
        x = ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        x = self._placed(x, ops.arange(ops.shape(target)[1], dtype="int32"))
        x = self.decoder_dropout(x, training=training)
        bias = causal_bias(ops.shape(target)[1])
        for block in self.decoder:
            keys = block.memory_attention.memorise(memory["encoded"])
            x = block(x, bias, keys, memory["bias"], training=training)
        penultimate = self.decoder_norm(x)
        logits = self._logits(penultimate)
        if training:
            logits = kernels.stored(logits)
        return {"logits": logits, "penultimate": penultimate}

    def _logits(
        self, penultimate: Tensor, columns: Tensor | None = None
    ) -> Tensor:
        logits = self.embedding.logits(penultimate, columns)
        if self.output_bias is None:
            return logits
        return ops.add(logits, ops.convert_to_tensor(self.output_bias))

    def _placed(self, x: Tensor, positions: Tensor) -> Tensor:
        """Adds the signal of the positions [T] or of one, a scalar."""
        signal = sinusoids(positions, self._hidden_size)
        return ops.add(x, ops.cast(signal, x.dtype))

    def encode(
        self, source: Tensor, training: bool = False
    ) -> dict[str, Tensor]:
        """Encodes sources.

        Args:
            source: int [B, S].
            training: whether to drop.

        Returns:
            dict: ``encoded`` float [B, S, D] and ``bias`` float32
            [B, 1, 1, S], what hides the padding.
        """
        bias = padding_bias(source)
        x = self.embedding(source)
        space = ops.convert_to_tensor(self.target_space)[_SPACE]
        x = ops.add(x, ops.cast(space, x.dtype))
        x = self._placed(x, ops.arange(ops.shape(source)[1], dtype="int32"))
        x = self.encoder_dropout(x, training=training)
        for block in self.encoder:
            x = block(x, bias, training=training)
        return {"encoded": self.encoder_norm(x), "bias": bias}

    def start(
        self,
        memory: dict[str, Tensor],
        beams: int,
        max_length: int,
        stretches: int | None = 1,
    ) -> Cache:
        """Prepares the decoding of B sources, some hypotheses of each.

        The keys and values of a hypothesis are not moved when the search
        drops one hypothesis for two of another. Every key stays in the slot
        where it was written, all hypotheses of a source look at all slots,
        and ``paths`` says which of them count: only this small table follows
        the hypotheses.

        The positions can be cut into stretches, each with a cache of its own.
        A step writes into that of its own stretch alone and looks at the full
        ones: what is still empty is not read, and what is full is not copied,
        where an engine copies what it writes into.

        Args:
            memory: what ``encode`` made.
            beams: hypotheses of each source.
            max_length: the most steps that will be taken.
            stretches: how many to cut into; None: as is quickest for so
                many steps. But for 1, whoever takes the steps has to keep
                what a stretch wrote, as ``decoding.search`` does.

        Returns:
            dict: ``constant``, what no step changes, by source; ``written``,
            what steps change, by source; ``full``, one such for every
            stretch but the last, and ``stretch``, the steps of each;
            ``reordered``, by hypothesis [B * beams, ...], which the search
            must gather as it does the hypotheses.
        """
        encoded = memory["encoded"]
        heads = self.decoder[0].attention.num_heads
        size = self._hidden_size // heads
        batch = ops.shape(encoded)[0]
        if stretches is None:
            many = _MOST_STRETCHES[keras.backend.backend()]
            if isinstance(max_length, int):  # else it is known late
                many = max(1, min(many, max_length // _LEAST_STRETCH))
            stretches = many if kernels.on_cpu() else 1
        stretch = (max_length + stretches - 1) // stretches
        slots = stretch * beams

        def unwritten() -> list[Cache]:
            keys = ops.zeros((batch, heads, size, slots), encoded.dtype)
            values = ops.zeros((batch, heads, slots, size), encoded.dtype)
            return [{"keys": keys, "values": values} for _ in self.decoder]

        return {
            "constant": {
                "bias": memory["bias"],
                "columns": self.embedding.columns(),
                "layers": [
                    block.memory_attention.memorise(encoded)
                    for block in self.decoder
                ],
            },
            "written": unwritten(),
            "full": [unwritten() for _ in range(stretches - 1)],
            "stretch": stretch,
            "reordered": {
                "paths": ops.zeros(
                    (batch * beams, stretches * stretch), "int32"
                )
            },
        }

    def step(
        self,
        ids: Tensor,
        position: Tensor,
        cache: Cache,
        divisor: Tensor | None = None,
    ) -> tuple[Tensor, Cache]:
        """Predicts the next token of every hypothesis.

        Args:
            ids: int [N], N = B * beams: each one's last token; 0 at first.
            position: int scalar: how many tokens each one has.
            cache: from ``start`` or the last step.
            divisor: scalar; divides the penultimate activations and so the
                logits but for their bias, as the temperature of Wagner et
                al. 2023 does.

        Returns:
            float32 [N, V] logits, and the cache of the next step.
        """
        constant, paths = cache["constant"], cache["reordered"]["paths"]
        batch = ops.shape(constant["bias"])[0]
        full, stretch = cache["full"], cache["stretch"]
        beams = ops.shape(cache["written"][0]["values"])[2] // stretch
        number = position // stretch  # of the stretch of this position
        paths, biases = _visible(paths, position, beams, len(full) + 1)
        x = self.embedding(ops.reshape(ids, (batch, beams)))
        x = self._placed(x, position)
        written = []
        own_bias = (
            ops.take(ops.stack(biases), number, axis=0) if full else biases[0]
        )
        for layer, (block, memory, own) in enumerate(
            zip(self.decoder, constant["layers"], cache["written"], strict=True)
        ):
            x, own = block.step(
                x,
                own_bias,
                (position - number * stretch) * beams,
                own,
                memory,
                constant["bias"],
                [
                    (ops.less(i, number), biases[i], layers[layer])
                    for i, layers in enumerate(full)
                ],
            )
            written.append(own)
        penultimate = self.decoder_norm(x)
        if divisor is not None:
            penultimate = ops.divide(penultimate, divisor)
        logits = self._logits(penultimate, constant["columns"])
        return ops.reshape(logits, (batch * beams, logits.shape[-1])), {
            **cache,
            "written": written,
            "reordered": {"paths": paths},
        }


def _visible(
    paths: Tensor, position: Tensor, beams: int, stretches: int
) -> tuple[Tensor, list[Tensor]]:
    """Notes where each hypothesis writes now, and what it may look at.

    Args:
        paths: int32 [N, L]: in which of its source's ``beams`` slots of a
            position the key of each hypothesis lies.
        position: int scalar.
        beams: hypotheses of each source.
        stretches: parts of equal length that the positions are cut into.

    Returns:
        The new paths, and of every stretch float32 [B, 1, beams,
        L / stretches * beams] to be subtracted from the scores.
    """
    count, length = ops.shape(paths)
    at = ops.arange(length, dtype="int32")
    slot = ops.arange(beams, dtype="int32")
    own = ops.reshape(ops.tile(slot, (count // beams,)), (count, 1))
    paths = ops.where(ops.equal(at, position), own, paths)
    mine = ops.logical_and(
        ops.equal(paths[:, :, None], slot),
        ops.less_equal(at, position)[:, None],
    )
    bias = ops.where(mine, 0.0, MASKED)
    # [N, L, beams] -> [B, 1, beams, L * beams]
    bias = ops.reshape(bias, (count // beams, 1, beams, length * beams))
    return paths, ops.split(bias, stretches, axis=-1)


def build(
    *,
    hidden_size: int,
    filter_size: int,
    num_heads: int,
    num_encoder_layers: int,
    num_decoder_layers: int,
    layer_dropout: float,
    attention_dropout: float,
    relu_dropout: float,
    vocabulary_size: int,
    seed: int,
    norm_first: bool = True,
    output_bias: bool = False,
) -> Transformer:
    """Builds the network.

    Args:
        hidden_size: D, even, a multiple of ``num_heads``.
        filter_size: width between the two products of a feed-forward layer.
        num_heads: H, of every attention.
        num_encoder_layers: blocks of the encoder.
        num_decoder_layers: blocks of the decoder.
        layer_dropout: fraction dropped of the embedded input of encoder and
            decoder and of every sublayer's output, in training, in [0, 1).
        attention_dropout: the same of the attention weights.
        relu_dropout: the same of the feed-forward layers' inner activations.
        vocabulary_size: V, of source and target together.
        seed: the run's seed, for the initial weights and the dropout.
        norm_first: whether a sublayer normalises its input; else the sum of
            its input and output.
        output_bias: whether the logits have a bias.

    Returns:
        A model from ``{"source": int [B, S], "target": int [B, T]}`` to
        ``{"logits": float32 [B, T, V], "penultimate": float32 [B, T, D]}``;
        see ``Transformer`` for its pieces.

    Raises:
        ValueError: if a size or rate is out of range.

    Source: see the module.
    """
    _check(
        {
            "hidden_size": hidden_size,
            "filter_size": filter_size,
            "num_heads": num_heads,
            "num_encoder_layers": num_encoder_layers,
            "num_decoder_layers": num_decoder_layers,
            "vocabulary_size": vocabulary_size,
        },
        {
            "layer_dropout": layer_dropout,
            "attention_dropout": attention_dropout,
            "relu_dropout": relu_dropout,
        },
    )
    sizes = Sizes(
        hidden_size=hidden_size,
        filter_size=filter_size,
        num_heads=num_heads,
        layer_dropout=layer_dropout,
        attention_dropout=attention_dropout,
        relu_dropout=relu_dropout,
        seed=seed,
        norm_first=norm_first,
    )
    return Transformer(
        sizes,
        num_encoder_layers=num_encoder_layers,
        num_decoder_layers=num_decoder_layers,
        vocabulary_size=vocabulary_size,
        output_bias=output_bias,
    )
