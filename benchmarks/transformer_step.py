"""The training step of the Transformer against PyTorch, in tokens per second.

Base size, 128 pairs of 32 subwords, 4096 on each side: our whole step in every
engine, Hugging Face's MarianMTModel of the same shape under a plain loop, and
what the machine's float32 matrix products allow.

Run: python benchmarks/transformer_step.py --peer_python=PYTHON \
--out=results/benchmarks
"""

import json
import sys
from pathlib import Path
from typing import Any

import _common
from _common import Case, Target, Timing
from _translation import BASE, ENGINES, SQUARE, STEP
from _translation_peer import MARIAN
from _workers import Worker, add_peer_flag, timed

SIZES = (1024, 2048)


def flop(
    shape: dict[str, int], batch: int, source: int, target: int
) -> dict[str, int]:
    """Floating-point operations of the matrix products of one step.

    Forward, and twice as many backward: for weights and for inputs. The
    encoder's input needs a gradient too, for it is the embedding's.

    Returns:
        Those with ``weights``, and those of the ``attention`` scores and
        means.
    """
    size, layers = shape["hidden_size"], shape["num_layers"]
    square, dense = size**2, 2 * size * shape["filter_size"]
    # Keys and values of the encoder-decoder attention come of the source.
    encoder = layers * (4 * square + dense) + layers * 2 * square
    decoder = layers * (6 * square + dense) + shape["vocabulary_size"] * size
    weights = batch * (source * encoder + target * decoder)
    pairs = source * source + target * target + target * source
    attention = batch * layers * 2 * pairs * size
    return {"weights": 3 * 2 * weights, "attention": 3 * 2 * attention}


def workers(flags: Any) -> tuple[dict[str, Worker], Worker | None]:
    """Starts a process for each of our engines, and one for PyTorch."""
    settings: dict[str, Any] = {
        "shape": BASE,
        "batch": flags.batch_size,
        "source": flags.length,
        "target": flags.length,
        "squares": SIZES,
    }
    peer = None
    cases = {"cases": [STEP]}
    if "peer" not in flags.skip:
        file = Path(__file__).with_name("_translation_peer.py")
        _common.say("PyTorch")
        text = json.dumps(settings | cases)
        peer = Worker([flags.peer_python, str(file), text])
    file = Path(__file__).with_name("_translation.py")
    ours = {}
    for name in flags.engine or ENGINES:
        _common.say(name)
        text = json.dumps(settings | cases | ENGINES[name])
        ours[name] = Worker([sys.executable, str(file), text])
    return ours, peer


def cases(
    ours: dict[str, Worker], peer: Worker | None, steps: int
) -> dict[str, Case]:
    """All that is timed: seconds for a step, or for one operation."""
    found = {
        f"ours, {name}": worker.case(STEP, steps)
        for name, worker in ours.items()
    }
    everyone = dict(ours)
    if peer is not None:
        found[MARIAN] = peer.case(STEP, steps)
        everyone["PyTorch"] = peer
    for size in SIZES:
        work = 2 * size**3 * max(1, 4 * (max(SIZES) // size) ** 3)
        square = SQUARE.format(size=size)
        for name, worker in everyone.items():
            found[f"{square}, {name}"] = worker.case(square, work)
    return found


def conclude(
    timings: dict[str, Timing], flags: Any
) -> tuple[dict[str, Any], list[Target]]:
    """Prints the tables; gives rates, ratios and targets."""
    squares = [k for k in timings if k.startswith("square")]
    fastest = min(squares, key=lambda name: timings[name].median)
    rate = 1 / timings[fastest].median
    work = flop(BASE, flags.batch_size, flags.length, flags.length)
    results: dict[str, Any] = {
        "rate": {"gflop_per_second": rate * 1e-9, "case": fastest},
        "gflop_per_step": {k: v * 1e-9 for k, v in work.items()},
    }
    names = [f"ours, {name}" for name in flags.engine or ENGINES]
    best = min(names, key=lambda name: timings[name].median)
    results["best"] = best
    rows = []
    for name in (*names, MARIAN):
        if name not in timings:
            continue
        t = timings[name]
        results[name] = {
            "seconds": t.median,
            "tokens_per_second": flags.batch_size * flags.length / t.median,
            "best_over_it": t.median / timings[best].median,
            "fraction_of_rate": sum(work.values()) / t.median / rate,
        }
        part = f"{results[name]['fraction_of_rate']:.1%}"
        values = list(results[name].values())
        rows.append((name, values[0], t.min, *values[1:3], part))
    head = (
        "steps",
        "median s",
        "min s",
        "target tokens/s",
        "best/it",
        "of rate",
    )
    _common.table(head, rows)
    _common.table(
        ("matrix products", "GFLOP/s", "at best"),
        [(k, 1e-9 / timings[k].median, 1e-9 / timings[k].min) for k in squares],
    )
    targets = [
        Target(
            "part of the float32 matrix-product rate",
            0.5,
            results[best]["fraction_of_rate"],
        )
    ]
    if MARIAN in results:
        ratio = results[MARIAN]["best_over_it"]
        targets.append(Target(f"tokens/s over {MARIAN}", 1.2, ratio))
    return results, targets


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=5)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--steps", type=int, default=1, help="of one round")
    parser.add_argument(
        "--engine",
        action="append",
        choices=list(ENGINES),
        help="default: all of them; may be repeated",
    )
    add_peer_flag(parser, "transformers")
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=["peer"],
        help="peer: without PyTorch",
    )
    flags = parser.parse_args()
    _common.start()
    about = _common.machine()
    ours, peer = workers(flags)
    everyone = [*ours.values(), *([peer] if peer else [])]
    timings = timed(cases(ours, peer, flags.steps), everyone, flags.repeats)
    results, targets = conclude(timings, flags)
    _common.finish(
        "transformer_step",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        skipped={k: "left out by --skip" for k in flags.skip},
        others=peer.facts["versions"] if peer else None,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
