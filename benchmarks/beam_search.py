"""Beam search of the Transformer against its peers', in tokens per second.

Base size, random weights, sources of 16 subwords, translations of 24, 4 beams,
the same threads: our search in every engine, CTranslate2's in float32 and in
int8, Hugging Face's ``generate`` of Marian, both of the same shape, and the
replication's greedy decoding, sentence by sentence and without a cache. Then
whether the cost grows with the length of the translation.

Run: python benchmarks/beam_search.py --peer_python=PYTHON \
--out=results/benchmarks
"""

import json
import sys
from pathlib import Path
from typing import Any

import _common
from _common import Case, Target, Timing
from _ctranslate2_peer import KINDS, NAME
from _translation import BASE, DECODE, ENGINES
from _translation_peer import MARIAN, REPLICATION
from _workers import Worker, add_peer_flag, timed

LENGTH = 24
# Tokens whose cost is compared: the first 64 and the next 64.
GROWTH = (64, 128)
_SENTENCES = 2  # of one round of the replication
QUICK = [NAME.format(kind=kind) for kind in KINDS]


def workers(flags: Any) -> tuple[dict[str, Worker], dict[str, Worker]]:
    """Starts a process for each of our engines, and one for each peer."""
    settings: dict[str, Any] = {
        "shape": BASE,
        "batch": flags.batch_size,
        "source": flags.source,
        "target": LENGTH,
        "beams": flags.beams,
        "squares": [],
    }

    def started(python: str, file: str, **more: Any) -> Worker:
        text = json.dumps(settings | more)
        return Worker([python, str(Path(__file__).with_name(file)), text])

    peers = {}
    if "pytorch" not in flags.skip:
        _common.say("PyTorch")
        peers["pytorch"] = started(
            flags.peer_python,
            "_translation_peer.py",
            cases=[MARIAN, REPLICATION],
        )
    if "ctranslate2" not in flags.skip:
        _common.say("CTranslate2")
        peers["ctranslate2"] = started(sys.executable, "_ctranslate2_peer.py")
    lengths = [LENGTH, *([] if "growth" in flags.skip else GROWTH)]
    ours = {}
    for name in flags.engine or ENGINES:
        _common.say(name)
        ours[name] = started(
            sys.executable,
            "_translation.py",
            cases=[],
            lengths=lengths,
            **ENGINES[name],
        )
    return ours, peers


def cases(
    ours: dict[str, Worker], peers: dict[str, Worker], flags: Any
) -> dict[str, Case]:
    """All that is timed; seconds for one call, or for one sentence."""
    found = {
        f"ours, {name}": worker.case(DECODE.format(length=LENGTH), 1)
        for name, worker in ours.items()
    }
    if "ctranslate2" in peers:
        for name in QUICK:
            found[name] = peers["ctranslate2"].case(name, 1)
    if "pytorch" in peers:
        found[MARIAN] = peers["pytorch"].case(MARIAN, 1)
        found[REPLICATION] = peers["pytorch"].case(REPLICATION, _SENTENCES)
    if "growth" not in flags.skip:
        for name, worker in ours.items():
            for length in GROWTH:
                key = f"ours, {name}, {length} tokens"
                found[key] = worker.case(DECODE.format(length=length), 1)
    return found


def conclude(
    timings: dict[str, Timing], flags: Any
) -> tuple[dict[str, Any], list[Target]]:
    """Prints the tables; gives rates, ratios and targets."""
    names = [f"ours, {name}" for name in flags.engine or ENGINES]
    best = min(names, key=lambda name: timings[name].median)
    results: dict[str, Any] = {"best": best}
    rows = []
    for name in (*names, *QUICK, MARIAN, REPLICATION):
        if name not in timings:
            continue
        t = timings[name]
        # The replication's unit is one sentence, and it has one beam.
        sentences = 1 if name == REPLICATION else flags.batch_size
        beams = 1 if name == REPLICATION else flags.beams
        rate = sentences * LENGTH / t.median
        results[name] = {
            "tokens_per_second": rate,
            "tokens_per_second_and_beam": rate * beams,
        }
        rows.append((name, rate, sentences * LENGTH / t.min, rate * beams))
    head = ("decoding", "tokens/s", "at best", "tokens/s x beams")
    _common.table(head, rows)
    targets = []
    for name, wanted, what in (
        (QUICK[0], 1.2, "tokens_per_second"),
        (QUICK[1], None, "tokens_per_second"),
        (MARIAN, 1.5, "tokens_per_second"),
        (REPLICATION, 20.0, "tokens_per_second_and_beam"),
    ):
        if name in results:
            ratio = results[best][what] / results[name][what]
            results[f"ours_over_{name}"] = ratio
            words = f"{what.replace('_', ' ')} over {name}"
            if wanted is None:
                print(f"{words}: {ratio:.4g}, no target")
            else:
                targets.append(Target(words, wanted, ratio))
    if "growth" not in flags.skip:
        targets += _growth(timings, names, results)
    return results, targets


def _growth(
    timings: dict[str, Timing],
    names: list[str],
    results: dict[str, Any],
) -> list[Target]:
    rows, targets = [], []
    for name in names:
        first, both = (timings[f"{name}, {n} tokens"].median for n in GROWTH)
        ratio = (both - first) / first
        results[name]["second_half_over_first"] = ratio
        rows.append((name, first, both - first, ratio))
        what = f"tokens 65-128 over 1-64, {name.removeprefix('ours, ')}"
        targets.append(Target(what, 1.4, ratio, at_most=True))
    _common.table(("seconds", "tokens 1-64", "65-128", "ratio"), rows)
    return targets


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=5)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--source", type=int, default=16)
    parser.add_argument("--beams", type=int, default=4)
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
        choices=["pytorch", "ctranslate2", "growth"],
        help="a peer, or growth: the long translations; may be repeated",
    )
    flags = parser.parse_args()
    _common.start()
    about = _common.machine()
    ours, peers = workers(flags)
    everyone = [*ours.values(), *peers.values()]
    timings = timed(cases(ours, peers, flags), everyone, flags.repeats)
    results, targets = conclude(timings, flags)
    others: dict[str, Any] = {}
    for peer in peers.values():
        others |= peer.facts["versions"]
    _common.finish(
        "beam_search",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        skipped={k: "left out by --skip" for k in flags.skip},
        others=others,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
