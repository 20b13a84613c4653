"""What a user would run instead of our Transformer: PyTorch.

Two peers. The first is Hugging Face's MarianMTModel, trained by a plain loop
and decoded by its ``generate``. The second is the replication's decoding,
written from the description of Wagner et al. 2023: ``nn.Transformer``, greedy,
one sentence at a time, the decoder run on the whole prefix for every token.

Run as a program it is a worker of ``beam_search.py`` and
``transformer_step.py``, in an environment with PyTorch and transformers;
nothing of this project is imported.
"""

import json
import math
import os
import sys
import time
from typing import Any

import _common
import numpy as np
from _workers import Work, private_stdout, serve

MARIAN, REPLICATION, STEP = "Marian", "replication", "step"
SQUARE = "square {size}"
SMOOTHING = 0.1
DROPOUT = 0.1
LEARNING_RATE = 1e-4
PAD, EOS = 0, 1


def marian(shape: dict[str, int]) -> Any:
    """Hugging Face's model of the shape, with random weights."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(0)
    layers, heads = shape["num_layers"], shape["num_heads"]
    return MarianMTModel(
        MarianConfig(
            vocab_size=shape["vocabulary_size"],
            d_model=shape["hidden_size"],
            encoder_layers=layers,
            decoder_layers=layers,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=shape["filter_size"],
            decoder_ffn_dim=shape["filter_size"],
            activation_function="relu",
            dropout=DROPOUT,
            attention_dropout=DROPOUT,
            activation_dropout=DROPOUT,
            scale_embedding=True,
            pad_token_id=PAD,
            eos_token_id=EOS,
            decoder_start_token_id=PAD,
            forced_eos_token_id=None,
        )
    )


def _random(rows: int, columns: int, vocabulary_size: int) -> Any:
    """Ids [rows, columns] without padding or an end."""
    import torch

    draw = np.random.default_rng(0)
    ids = draw.integers(2, vocabulary_size, (rows, columns), np.int64)
    return torch.from_numpy(ids)


def _timed(work: Any, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        work()
    return time.perf_counter() - began


def generate(settings: dict[str, Any]) -> Work:
    """Beam search over one batch; a unit is one call.

    No hypothesis may end before the last token, so that all take as many.
    """
    import torch

    shape = settings["shape"]
    model = marian(shape).eval()
    source = _random(
        settings["batch"], settings["source"], shape["vocabulary_size"]
    )
    mask = torch.ones_like(source)

    def call() -> Any:
        with torch.inference_mode():
            found = model.generate(
                input_ids=source,
                attention_mask=mask,
                num_beams=settings["beams"],
                do_sample=False,
                length_penalty=0.6,
                min_new_tokens=settings["target"],
                max_new_tokens=settings["target"],
            )
        if found.shape[1] != settings["target"] + 1:
            raise RuntimeError(
                f"wanted {settings['target']} tokens and the start, "
                f"got {found.shape[1]}"
            )
        return found

    return lambda count: _timed(call, count)


def _sinusoids(length: int, size: int) -> Any:
    import torch

    position = np.arange(length)[:, None]
    rate = np.exp(-math.log(10_000) * np.arange(0, size, 2) / size)
    signal = np.zeros((length, size), np.float32)
    signal[:, 0::2] = np.sin(position * rate)
    signal[:, 1::2] = np.cos(position * rate)
    return torch.from_numpy(signal)


def replication(settings: dict[str, Any]) -> Work:
    """Greedy decoding without a cache; a unit is one sentence."""
    import torch
    from torch import nn

    shape = settings["shape"]
    torch.manual_seed(0)
    size, vocabulary = shape["hidden_size"], shape["vocabulary_size"]
    network = nn.Transformer(
        d_model=size,
        nhead=shape["num_heads"],
        num_encoder_layers=shape["num_layers"],
        num_decoder_layers=shape["num_layers"],
        dim_feedforward=shape["filter_size"],
        dropout=DROPOUT,
    ).eval()
    tables = nn.Embedding(vocabulary, size), nn.Embedding(vocabulary, size)
    generator = nn.Linear(size, vocabulary)
    signal = _sinusoids(512, size)
    sources = _random(settings["batch"], settings["source"], vocabulary)

    def embedded(side: int, ids: Any) -> Any:
        rows = tables[side](ids) * math.sqrt(size)
        return rows + signal[: len(ids), None]

    def sentence(source: Any) -> Any:
        memory = network.encoder(embedded(0, source))
        ids = torch.zeros((1, 1), dtype=torch.int64)
        for _ in range(settings["target"]):
            mask = nn.Transformer.generate_square_subsequent_mask(len(ids))
            out = network.decoder(embedded(1, ids), memory, tgt_mask=mask)
            best = generator(out[-1]).argmax(dim=1)
            ids = torch.cat([ids, best[None]])
        return ids

    def work(count: int) -> float:
        columns = [sources[i % len(sources)][:, None] for i in range(count)]
        with torch.inference_mode():
            began = time.perf_counter()
            for column in columns:
                sentence(column)
            return time.perf_counter() - began

    return work


def train(settings: dict[str, Any]) -> Work:
    """The plain loop over one batch; a unit is one step."""
    import torch
    from torch import nn

    shape = settings["shape"]
    model = marian(shape).train()
    vocabulary = shape["vocabulary_size"]
    source = _random(settings["batch"], settings["source"], vocabulary)
    target = _random(settings["batch"], settings["target"], vocabulary)
    mask = torch.ones_like(source)
    start = torch.full_like(target[:, :1], PAD)
    inputs = torch.cat([start, target[:, :-1]], dim=1)
    entropy = nn.CrossEntropyLoss(label_smoothing=SMOOTHING, ignore_index=PAD)
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=LEARNING_RATE,
        betas=(0.9, 0.997),
        eps=1e-9,
        fused=True,
    )

    def step() -> None:
        optimizer.zero_grad()
        logits = model(
            input_ids=source, attention_mask=mask, decoder_input_ids=inputs
        ).logits
        loss = entropy(logits.view(-1, vocabulary), target.reshape(-1))
        loss.backward()
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise RuntimeError(f"wanted a finite loss, got {loss.item()}")

    return lambda count: _timed(step, count)


def square(size: int) -> Work:
    """A product of square matrices; a unit is one operation of it."""
    import torch

    a = torch.ones((size, size))
    return lambda flop: _timed(lambda: torch.mm(a, a), flop // (2 * size**3))


def main() -> None:
    """Serves; the argument is JSON: cases, shape, sizes of the batch."""
    answers = private_stdout()
    settings = json.loads(sys.argv[1])
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    torch.set_num_threads(_common.cpus())
    makers = {MARIAN: generate, REPLICATION: replication, STEP: train}
    works = {name: makers[name](settings) for name in settings["cases"]}
    works |= {
        SQUARE.format(size=size): square(size) for size in settings["squares"]
    }
    facts = {"versions": _common.versions("torch", "transformers")}
    serve(answers, facts, works)


if __name__ == "__main__":
    main()
