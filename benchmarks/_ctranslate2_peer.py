"""The fastest program a user would decode with on a CPU: CTranslate2.

The model is T2T's Transformer, described by CTranslate2's own
``TransformerSpec``: the normalisation before each sublayer, one table for both
sides and the logits, the first target token predicted from zeros. Its weights
are given by the names that this project has for them, so that a test can put
a model's own there; the benchmark draws them. Nothing is downloaded.

Run as a program it is a worker of ``beam_search.py``; nothing of this project
is imported.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import _common
import numpy as np
from _workers import Work, private_stdout, serve

NAME = "CTranslate2, {kind}"
KINDS = ("float32", "int8")
PAD, EOS = 0, 1
_EPSILON = 1e-6  # of the layer normalisation
_POSITIONS = 512

# Gives the variable of a name and a shape.
Weights = Callable[[str, tuple[int, ...]], np.ndarray]


def sinusoids(length: int, size: int) -> np.ndarray:
    """Sines, then cosines, of wavelengths from 2 pi to 20,000 pi.

    Args:
        length: T.
        size: D.

    Returns:
        float32 [T, D].
    """
    half = size // 2
    rates = np.exp(-math.log(10_000) * np.arange(half) / (half - 1))
    angles = np.arange(length)[:, None] * rates
    signal = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return signal.astype(np.float32)


def specification(shape: Mapping[str, int], weights: Weights) -> Any:
    """The model, with its weights and its vocabulary.

    Args:
        shape: ``hidden_size``, ``filter_size``, ``num_heads``,
            ``num_layers`` of each side and ``vocabulary_size``.
        weights: of each variable; the kernels are [input, output].

    Returns:
        ctranslate2.specs.TransformerSpec: token number i is called str(i),
        but for "<pad>" and "</s>".
    """
    from ctranslate2.specs import TransformerSpec

    size, vocabulary = shape["hidden_size"], shape["vocabulary_size"]
    spec = TransformerSpec.from_config(shape["num_layers"], shape["num_heads"])
    for side, part in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        _normalise(part.layer_norm, f"{side}_norm", size, weights)
        for number, layer in enumerate(part.layer, start=1):
            name = f"{side}_{number}"
            own = layer.self_attention
            _normalise(own.layer_norm, f"{name}_attention_norm", size, weights)
            at = f"{name}_self_attention"
            _multiply(own.linear[0], f"{at}/query_key_value", size, 3, weights)
            _multiply(own.linear[1], f"{at}/output", size, 1, weights)
            if side == "decoder":
                _attend(layer.attention, name, size, weights)
            _feed_forward(layer.ffn, name, shape, weights)
    table = weights("embedding/table", (vocabulary, size))
    spec.encoder.embeddings[0].weight = table
    spec.decoder.embeddings.weight = table
    spec.decoder.projection.weight = table
    spec.decoder.projection.bias = weights(
        "transformer/output_bias", (vocabulary,)
    )
    spec.decoder.start_from_zero_embedding = True
    # The row of the target's space, added to every word of the source.
    spaces = weights("transformer/target_space", (32, size))
    signal = sinusoids(_POSITIONS, size)
    spec.encoder.position_encodings.encodings = signal + spaces[0]
    spec.decoder.position_encodings.encodings = signal
    _name_tokens(spec, vocabulary)
    spec.validate()
    spec.optimize()
    return spec


def _name_tokens(spec: Any, vocabulary: int) -> None:
    words = ["<pad>", "</s>", *map(str, range(2, vocabulary))]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    config = spec.config
    config.unk_token = config.bos_token = "<pad>"
    config.decoder_start_token = "<pad>"
    config.layer_norm_epsilon = _EPSILON


def _normalise(part: Any, name: str, size: int, weights: Weights) -> None:
    part.gamma = weights(f"{name}/gamma", (size,))
    part.beta = weights(f"{name}/beta", (size,))


def _multiply(
    part: Any, name: str, size: int, count: int, weights: Weights
) -> None:
    """A product with square matrices side by side, without a bias."""
    kernel = weights(name, (size, count * size))
    part.weight = np.ascontiguousarray(kernel.T)


def _attend(part: Any, name: str, size: int, weights: Weights) -> None:
    """The decoder's attention to the source."""
    _normalise(part.layer_norm, f"{name}_memory_norm", size, weights)
    at = f"{name}_memory_attention"
    _multiply(part.linear[0], f"{at}/query", size, 1, weights)
    _multiply(part.linear[1], f"{at}/key_value", size, 2, weights)
    _multiply(part.linear[2], f"{at}/output", size, 1, weights)


def _feed_forward(
    part: Any, name: str, shape: Mapping[str, int], weights: Weights
) -> None:
    outer, inner = shape["hidden_size"], shape["filter_size"]
    _normalise(part.layer_norm, f"{name}_feed_forward_norm", outer, weights)
    for linear, what, rows, columns in (
        (part.linear_0, "inner", outer, inner),
        (part.linear_1, "outer", inner, outer),
    ):
        at = f"{name}_dense/{what}"
        kernel = weights(f"{at}_kernel", (rows, columns))
        linear.weight = np.ascontiguousarray(kernel.T)
        linear.bias = weights(f"{at}_bias", (columns,))


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Initial weights, as ours are: Glorot's, ones and zeros.

    Args:
        name: of the variable.
        shape: its own.
    """
    if name.endswith("gamma"):
        return np.ones(shape, np.float32)
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    deviation = math.sqrt(2 / sum(shape))
    if name == "embedding/table":
        deviation = shape[1] ** -0.5
    draw = np.random.default_rng(list(name.encode()))
    return deviation * draw.standard_normal(shape, np.float32)


def translator(spec: Any, kind: str, threads: int) -> Any:
    """The model in memory, ready to translate.

    Args:
        spec: of ``specification``.
        kind: what its products are computed in, float32 or int8.
        threads: of each product.

    Returns:
        ctranslate2.Translator: one batch at a time.
    """
    import ctranslate2

    with tempfile.TemporaryDirectory() as folder:
        spec.save(folder)
        return ctranslate2.Translator(
            folder,
            device="cpu",
            compute_type=kind,
            inter_threads=1,
            intra_threads=threads,
        )


def words(ids: Any) -> list[list[str]]:
    """The names of tokens.

    Args:
        ids: int [B, S]; padding is left out.
    """
    return [
        ["</s>" if i == EOS else str(i) for i in row if i != PAD]
        for row in np.asarray(ids).tolist()
    ]


def translate(made: Any, settings: Mapping[str, Any]) -> Work:
    """Beam search over one batch; a unit is one call.

    No hypothesis may end before the last token, so that all take as many.
    """
    length = settings["target"]
    ids = np.random.default_rng(0).integers(
        2,
        settings["shape"]["vocabulary_size"],
        (settings["batch"], settings["source"]),
    )
    source = words(ids)

    def work(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            results = made.translate_batch(
                source,
                beam_size=settings["beams"],
                length_penalty=0.6,
                min_decoding_length=length,
                max_decoding_length=length,
            )
            if {len(r.hypotheses[0]) for r in results} != {length}:
                raise RuntimeError(f"wanted {length} tokens of each sentence")
        return time.perf_counter() - began

    return work


def main() -> None:
    """Serves; the argument is JSON: shape, sizes of the batch, beams."""
    answers = private_stdout()
    settings = json.loads(sys.argv[1])
    spec = specification(settings["shape"], drawn)
    works = {
        NAME.format(kind=kind): translate(
            translator(spec, kind, _common.cpus()), settings
        )
        for kind in KINDS
    }
    facts = {"versions": _common.versions("ctranslate2")}
    serve(answers, facts, works)


if __name__ == "__main__":
    main()
