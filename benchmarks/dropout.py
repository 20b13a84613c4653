"""What a dropout mask costs: our hash against Keras's own layer.

A loop of the masks of the input (100 x 784, rate 0.2) and of one hidden layer
(100 x 1200, rate 0.5) of the hard-target MNIST teacher, with and without XLA.

Run: python benchmarks/dropout.py --out=results/benchmarks
"""

from typing import Any

import _common
from _common import Target

SHAPES = {"dropout_0": (100, 784, 0.2), "dropout_1": (100, 1200, 0.5)}
STEPS = 20
OURS, KERAS = "ours", "Keras"


def _loop(layers: list[Any], jit: bool) -> Any:
    import tensorflow as tf

    from ls_tf import kernels

    inputs = [tf.ones(SHAPES[layer.name][:2]) for layer in layers]

    def body(i: Any, total: Any) -> Any:
        # The sum keeps the masks from being optimised away.
        sums = [
            tf.reduce_sum(layer(x, training=True))
            for layer, x in zip(layers, inputs, strict=True)
        ]
        return i + 1, total + tf.add_n(sums)

    def loop() -> Any:
        return tf.while_loop(lambda i, t: i < STEPS, body, (0, 0.0))[1]

    traced = tf.function(loop, jit_compile=jit, autograph=False)
    with kernels.tracing(by_operation=not jit):  # as the engine does
        return traced.get_concrete_function()


def main() -> None:
    """Measures, prints the ratios and writes the record."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=7)
    options = parser.parse_args()
    about = _common.machine()
    _common.start()
    import keras

    from ls_tf.layers.dropout import Dropout

    kinds = {OURS: Dropout, KERAS: keras.layers.Dropout}
    cases = {}
    for name, kind in kinds.items():
        for jit in (True, False):
            layers = [
                kind(rate, seed=1, name=key)
                for key, (_, _, rate) in SHAPES.items()
            ]
            program = _loop(layers, jit)
            key = f"{name}, {'XLA' if jit else 'no XLA'}"
            cases[key] = _common.timed(
                lambda program=program: program().numpy(), STEPS
            )
    timings = _common.interleaved(cases, repeats=options.repeats)
    _common.table(
        ("masks of one input and one hidden layer", "ms, min", "ms, median"),
        [(k, t.min * 1e3, t.median * 1e3) for k, t in timings.items()],
    )
    ratios = {
        way: timings[f"{KERAS}, {way}"].median
        / timings[f"{OURS}, {way}"].median
        for way in ("XLA", "no XLA")
    }
    _common.finish(
        "dropout",
        options,
        about=about,
        settings={"shapes": SHAPES, "steps": STEPS},
        timings=timings,
        results={
            "keras_over_ours_xla": ratios["XLA"],
            "keras_over_ours_no_xla": ratios["no XLA"],
        },
        targets=[
            Target("Keras / ours under XLA", 10.0, ratios["XLA"]),
            Target("Keras / ours without XLA", 1.0, ratios["no XLA"]),
        ],
    )


if __name__ == "__main__":
    main()
