"""The translation task: batches, sums, statistics, translations."""

import dataclasses

import numpy as np
import pytest
from both import quick
from keras import ops
from small_translation import CHANGES

from ls_tf.analysis import bleu, calibration, probabilities
from ls_tf.evaluators import (
    token_calibration,
    token_projection,
    translation,
    translation_sweep,
)
from ls_tf.measuring import measure
from ls_tf.measuring import translator as translator_module
from ls_tf.measuring.translator import decoded_together, filled
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.usage import LeftOut
from ls_tf.protocols import Decoding
from ls_tf.spec import EvaluatorSpec, SpecError
from ls_tf.spec.resolve import resolve
from ls_tf.tasks import translation as task_module

GREEDY = Decoding(beam_size=1, extra_length=4)


@pytest.fixture(scope="module")
def task():
    spec = resolve("transformer_numbers", changed=CHANGES).spec
    return task_module.build(spec, data_dir=None)


class Computed:
    """A network whose functions are computed here."""

    def compute(self, function, batches):
        function, found = quick(function), []
        for batch in batches:
            tensors = {k: ops.convert_to_tensor(v) for k, v in batch.items()}
            outputs = function(tensors)
            found.append(
                {k: ops.convert_to_numpy(v) for k, v in outputs.items()}
            )
        return found


@pytest.fixture(scope="module")
def translator(task):
    return task.view(Computed())


def rows(ragged, index):
    return [list(ragged.row(i)) for i in index]


def test_a_batch_holds_the_planned_sentences(task):
    train = task.tokens("train")
    seen = set()
    for step in range(12):
        plan = task.plan(step, 1)
        assert {len(v) for v in plan.values()} == {1}
        batch = task.batch(task.resident, {k: v[0] for k, v in plan.items()})
        index = plan["index"][0]
        seen.add(tuple(batch["source"].shape))
        for side in ("source", "target"):
            found = ops.convert_to_numpy(batch[side])
            for row, want in zip(
                found, rows(getattr(train, side), index), strict=True
            ):
                assert list(row[: len(want)]) == want
                assert not row[len(want) :].any()
    assert len(seen) > 1  # batches of several shapes


def test_what_is_used_is_counted(task):
    entries = {name: part.as_dict() for name, part in task.data_used.items()}
    digests = [entry.pop("sha256") for entry in entries.values()]
    assert len(set(digests)) == 4 and {len(d) for d in digests} == {64}
    assert digests[-1] == task._corpus.digest
    assert entries == {
        "validation[:12]": {"examples": 12, "left_out": {}},
        "test[:20]": {"examples": 20, "left_out": {}},
        "train[:300]": {"examples": 300, "left_out": {}},
        "subwords": {
            **{"examples": 600, "left_out": {}, "wanted": 400, "learnt": 400}
        },
    }


def of_length(longest, allowed):
    changed = {
        **CHANGES,
        "data.max_length": longest,
        "data.allow_left_out": allowed,
    }
    spec = resolve("transformer_numbers", changed=changed).spec
    return task_module.build(spec, data_dir=None)


def test_pairs_that_are_too_long_are_counted_and_too_many_refused(task):
    train = task.tokens("train")
    longer = np.maximum(train.source.lengths, train.target.lengths) > 10
    count, first = int(longer.sum()), int(np.argmax(longer)) + 1
    assert 150 < count < 290
    used = of_length(10, 1.0).data_used["train[:300]"]
    assert used.examples == 300 - count
    assert used.left_out == (
        LeftOut("longer than 10 subwords", count, f"pair {first}"),
    )
    with pytest.raises(DataError) as caught:
        of_length(10, 0.5)
    assert str(caught.value) == (
        f"numbers_ende/train[:300]: {count} of 300 pairs would be left out "
        f"({count} longer than 10 subwords, the first at pair {first}); "
        "wanted a share of 0.5 at most; data.allow_left_out allows more"
    )


def test_a_split_to_measure_on_is_refused_before_the_training(tmp_path):
    texts = {
        "train": ["one two", "two three"] * 20,
        "dev": ["one"],
        "test": ["one", "", "two", " "],
    }
    for split, lines in texts.items():
        for language in ("en", "de"):
            file = tmp_path / f"own.{split}.{language}"
            file.write_text("\n".join(lines) + "\n")
    changed = {
        **CHANGES,
        "data.name": "parallel_files",
        "data.source": str(tmp_path / "own"),
        "data.train": "train",
        "data.calibrate": "dev",
        "data.report": "test",
    }
    spec = resolve("transformer_numbers", changed=changed).spec
    used = task_module.build(spec, data_dir=None).data_used["test"]
    assert used.left_out == (LeftOut("a side is empty", 2, "line 2"),)
    changed["data.allow_left_out"] = 0.4
    spec = resolve("transformer_numbers", changed=changed).spec
    with pytest.raises(DataError, match="parallel_files/test: 2 of 4 pairs"):
        task_module.build(spec, data_dir=None)


def test_epochs_are_counted(task):
    per_epoch = task._plan.steps_per_epoch
    assert task.epoch(0) == 0
    assert task.epoch(10) == pytest.approx(10 / per_epoch)
    # All pairs' tokens, over the tokens of a batch, roughly.
    assert 15 < per_epoch < 90


def batch_of(task, count=3, extra=0):
    tokens = task.tokens("report")
    index = np.arange(count)
    width = {
        side: int(getattr(tokens, side).lengths[:count].max()) + extra
        for side in ("source", "target")
    }
    return {
        side: filled(getattr(tokens, side), index, width[side])
        for side in ("source", "target")
    }


def numbers(sums):
    return {k: float(ops.convert_to_numpy(v)) for k, v in sums.items()}


def test_the_loss_by_hand(task):
    batch = batch_of(task)
    logits = ops.convert_to_numpy(
        task.next_token_logits(batch)["logits"]
    ).astype(np.float64)
    p = np.exp(logits - logits.max(-1, keepdims=True))
    log_p = np.log(p / p.sum(-1, keepdims=True))
    target = batch["target"]
    classes = logits.shape[-1]
    assert classes == task._vocabulary_size
    loss = nll = weight = correct = 0.0
    for b in range(target.shape[0]):
        for t in range(target.shape[1]):
            if target[b, t] == 0:
                continue
            right = log_p[b, t, target[b, t]]
            others = log_p[b, t].sum() - right
            # tensor2tensor: 0.1 is spread over the V - 1 others
            loss -= 0.9 * right + 0.1 * others / (classes - 1)
            nll -= right
            weight += 1
            correct += log_p[b, t].argmax() == target[b, t]
    # Without dropout, so that it is the inference mode's.
    kept = task.model.call
    try:
        task.model.call = lambda inputs, training=False: kept(inputs, False)
        found = numbers(task.loss(batch, {"alpha": 0.1}))
    finally:
        task.model.call = kept
    assert found["weight"] == weight
    assert found["accuracy"] == correct
    assert found["nll"] == pytest.approx(nll, rel=1e-5)
    assert found["loss"] == pytest.approx(loss, rel=1e-5)


def test_padding_changes_no_statistic(task):
    grid = np.array([0.5, 1.0], np.float32)
    short = task.next_token_statistics({**batch_of(task), "temperature": grid})
    long = task.next_token_statistics(
        {**batch_of(task, extra=5), "temperature": grid}
    )
    real = batch_of(task)["target"] != 0
    width = real.shape[1]
    for name in ("nll", "confidence"):
        a, b = (ops.convert_to_numpy(x[name]) for x in (short, long))
        np.testing.assert_allclose(a[real], b[:, :width][real], rtol=2e-5)


def test_statistics_are_of_every_subword_in_order(task, translator):
    temperatures = (0.7, 1.0, 2.0)
    found = translator.statistics("report", temperatures)
    target = task.tokens("report").target
    assert found["nll"].shape == (len(target.tokens), 3)
    logits, labels = translator.logits("report", 10**6)
    np.testing.assert_array_equal(labels, target.tokens)
    for column, t in enumerate(temperatures):
        probs = probabilities.softmax(logits, t)
        rows_ = np.arange(len(labels))
        np.testing.assert_allclose(
            found["nll"][:, column],
            -np.log(probs[rows_, labels]),
            rtol=1e-4,
            atol=1e-5,
        )
        np.testing.assert_allclose(
            found["confidence"][:, column], probs.max(-1), rtol=1e-4
        )
    np.testing.assert_array_equal(found["correct"], logits.argmax(-1) == labels)


def test_the_first_subwords_are_whole_sentences(task, translator):
    offsets = task.tokens("report").target.offsets
    some, labels = translator.logits("report", int(offsets[2]) + 1)
    assert len(some) == len(labels) == offsets[3]
    exact, _ = translator.logits("report", int(offsets[2]))
    assert len(exact) == offsets[2]


def test_activations_make_the_logits(task, translator):
    token = int(task.tokens("report").target.row(0)[0])
    points = translator.activations("report", token, 3)
    at = np.flatnonzero(task.tokens("report").target.tokens == token)[:3]
    logits, _ = translator.logits("report", 10**6)
    templates = translator.templates(range(task._vocabulary_size))
    np.testing.assert_allclose(
        points @ templates.T, logits[at], rtol=1e-4, atol=1e-4
    )


def test_padding_can_be_counted_and_then_counts(task, translator):
    lengths = task.tokens("report").target.lengths
    found = translator.with_padding("report", 8)
    positions = sum(
        len(part) * part.max()
        for part in (lengths[i : i + 8] for i in range(0, len(lengths), 8))
    )
    assert len(found["correct"]) == positions
    assert (~found["is_padding"]).sum() == lengths.sum()
    plain = translator.statistics("report", (1.0,))
    np.testing.assert_allclose(
        found["nll"][~found["is_padding"], 0], plain["nll"][:, 0], rtol=1e-4
    )


def test_translations_keep_their_order(task, translator):
    tokens = task.tokens("report").source
    whole = translator.translate(tokens, GREEDY)
    for i in (0, 7, 19):
        alone = translator.translate(tokens.part(i, i + 1), GREEDY)
        assert alone.ids[0] == whole.ids[i]
        assert alone.scores[0] == pytest.approx(whole.scores[i], rel=1e-4)


@pytest.mark.parametrize(
    ("lengths", "batches"),
    [
        # Few are not filled up to many.
        ([5], [(0, 1, 8, 16)]),
        ([5, 16, 17], [(0, 3, 8, 32)]),
        ([5] * 9, [(0, 9, 64, 16)]),
        ([5] * 65, [(0, 64, 64, 16), (64, 65, 64, 16)]),
        ([200] * 64, [(0, 64, 64, 256)]),
        # The longer they are, the fewer are decoded together.
        ([300] * 20, [(0, 16, 16, 512), (16, 20, 16, 512)]),
        ([1000], [(0, 1, 4, 1024)]),
        ([1000] * 5, [(0, 4, 4, 1024), (4, 5, 4, 1024)]),
        ([9000], [(0, 1, 1, 16384)]),
        # A long one makes none of the short ones long.
        ([5] * 63 + [1000], [(0, 63, 64, 16), (63, 64, 4, 1024)]),
        ([], []),
    ],
)
def test_sentences_that_are_decoded_together(lengths, batches):
    assert list(decoded_together(np.array(lengths, np.int64))) == batches


def test_a_line_is_translated_as_alone(task, translator, monkeypatch):
    # Small numbers in place of 8, 64 and 256, so that every case occurs.
    monkeypatch.setattr(translator_module, "_FEW", 2)
    monkeypatch.setattr(translator_module, "_MANY", 4)
    monkeypatch.setattr(translator_module, "_CELLS", 2 * 32**2)
    how = Decoding(beam_size=1, extra_length=0)
    lines = ["seven", "twelve", "one", "five hundred", "nine " * 16, "four"]
    source = task.subwords.encode(lines)
    assert 16 < source.lengths.max() <= 32
    together = translator.translate(source, how)
    for i in (0, 3, 4):
        alone = translator.translate(source.part(i, i + 1), how)
        assert alone.ids == together.ids[i : i + 1]
    assert len({str(ids) for ids in together.ids}) > 1


def test_lines_in_lines_out(task, translator):
    lines = ["", "three hundred", "  ", "nine " * 40, "four"]
    found, cut = translator.translate_lines(lines, GREEDY, 30)
    assert len(found) == 5 and cut == [3]
    assert found[0] == found[2] == ""
    assert all("\n" not in line for line in found)
    again, _ = translator.translate_lines(["four"], GREEDY, 30)
    assert again == found[4:]


def test_the_evaluators_measure(task, translator):
    evaluator = translation.Evaluator("report", beam_size=2, extra_length=4)
    found = evaluator(translator)
    hypotheses = found.arrays["hypotheses"].tolist()
    assert found.count == 20 == len(hypotheses)
    again = bleu.scores(hypotheses, task.tokens("report").texts.target)
    assert found.scalars["bleu"] == again.values["bleu"]
    assert "tok:13a" in found.notes["bleu"]
    assert found.notes["references"] == again.references
    for score, counts in again.counts.items():
        np.testing.assert_array_equal(found.arrays[f"counts_{score}"], counts)

    calibrated = token_calibration.Evaluator("report")(translator)
    tokens = len(task.tokens("report").target.tokens)
    assert calibrated.count == tokens
    assert calibrated.arrays["bin_count"].sum() == tokens
    logits, labels = translator.logits("report", 10**6)
    summary = calibration.summary(logits, labels)
    for name in ("nll", "accuracy", "ece"):
        assert calibrated.scalars[name] == pytest.approx(
            summary[name], abs=1e-5
        )
    assert calibrated.scalars["nll_scaled"] <= calibrated.scalars["nll"] + 0.05

    evaluator = translation_sweep.Evaluator(
        "report", (0.5, 1.0), extra_length=4
    )
    sweep = evaluator(translator)
    assert sweep.arrays["nll"][1] == pytest.approx(summary["nll"], abs=1e-5)
    assert sweep.scalars["best_nll"] == sweep.arrays["nll"].min()

    flat = token_projection.Evaluator("report", per_token=5)(translator)
    assert flat.arrays["templates"].shape == (3, 2)
    assert flat.arrays["report_points"].shape[1] == 2
    assert len(flat.notes) == 3


@pytest.mark.parametrize(
    ("language", "tokens"), [("de", "13a"), ("zh", "zh"), ("ja", "char")]
)
def test_bleu_is_that_of_the_target_language(
    task, translator, monkeypatch, language, tokens
):
    info = dataclasses.replace(task._corpus.info, target_language=language)
    monkeypatch.setattr(task._corpus, "info", info)
    assert translator.target_language == language
    for evaluator in (
        translation.Evaluator("report", beam_size=1, extra_length=4),
        translation_sweep.Evaluator("report", (1.0,), 1, extra_length=4),
    ):
        assert f"|tok:{tokens}|" in evaluator(translator).notes["bleu"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("translation", {"beam_size": 0}, "beam_size: wanted 1 or more"),
        ("translation", {"temperature": 0.0}, "temperature: wanted more"),
        ("translation_sweep", {"temperatures": (1.0, -1.0)}, "got -1"),
        ("translation_sweep", {"temperatures": ()}, "one or more, got none"),
        ("token_calibration", {"first_tokens": 0}, "first_tokens: wanted 1"),
        ("token_projection", {"tokens": ("xyzzy",) * 3}, "no single subword"),
        ("classification", {}, "measures classifiers, this .* translators"),
    ],
)
def test_refuses_before_the_training(task, name, options, message):
    evaluator = EvaluatorSpec(name, "report", options=options)
    with pytest.raises(SpecError, match=message):
        measure.check(evaluator, task.view(Computed()))


def test_refuses_a_batch_in_examples():
    changed = {**CHANGES, "task": "classification"}
    with pytest.raises(ValueError, match="tokens|images|examples"):
        spec = resolve("transformer_numbers", changed=changed).spec
        from ls_tf.tasks import classification

        classification.build(spec, data_dir=None)


def test_cannot_be_stacked(task):
    with pytest.raises(SpecError, match="different shapes"):
        task.check_stack()
