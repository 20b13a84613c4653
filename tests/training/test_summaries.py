"""TensorBoard's curves are those of metrics.csv, however a run came to be."""

import pytest
from etils import epath
from tensorboard.backend.event_processing import event_accumulator

from ls_tf.training import summaries
from ls_tf.training.summaries import Summaries

PNG = b"\x89PNG\r\n\x1a\n" + 8 * b"\0" + bytes([0, 0, 0, 9, 0, 0, 0, 5])


def curves(folder, tag="train/loss"):
    read = event_accumulator.EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "images": 0}
    )
    read.Reload()
    if tag in read.Tags()["images"]:
        return [e.step for e in read.Images(tag)]
    if tag not in read.Tags()["scalars"]:
        return []
    events = read.Scalars(tag)
    walls = [e.wall_time for e in events]
    assert walls == sorted(walls)
    return [(e.step, e.value) for e in events]


def train(folder, start, stop, value, every=50, close=True):
    """Logs from a checkpoint to a step; leaves the file open as a kill does."""
    writer = Summaries(str(folder), start)
    for step in range(start + every, stop + 1, every):
        writer.scalars(step, {"train/loss": value + step})
        writer.image(step, "report/reliability", PNG)
    if close:
        writer.close()
    else:
        writer.flush()
    return writer


@pytest.mark.parametrize("shift", [0.0, 5.0, -3600.0, 1e6])
def test_a_resume_whatever_the_clock(tmp_path, monkeypatch, shift):
    train(tmp_path, 0, 200, 1000)
    now = summaries.time.time()
    monkeypatch.setattr(summaries.time, "time", lambda: now + shift)
    train(tmp_path, 100, 400, 2000)
    monkeypatch.setattr(summaries.time, "time", lambda: now)
    want = [(50, 1050), (100, 1100)]
    want += [(step, 2000 + step) for step in range(150, 401, 50)]
    assert curves(tmp_path) == want
    assert curves(tmp_path, "report/reliability") == [s for s, _ in want]
    # And once more, by another process that only measures.
    Summaries(str(tmp_path), 400).close()
    assert curves(tmp_path) == want


def test_a_kill_leaves_what_a_checkpoint_has(tmp_path):
    killed = train(tmp_path, 0, 200, 1000, close=False)
    killed.scalars(250, {"train/loss": 5.0})  # not flushed: lost
    train(tmp_path, 200, 300, 2000)
    want = [(step, 1000 + step) for step in range(50, 201, 50)]
    assert curves(tmp_path) == [*want, (250, 2250), (300, 2300)]
    killed.close()


def test_a_run_begun_again_keeps_no_leftovers(tmp_path):
    train(tmp_path, 0, 200, 1000)
    train(tmp_path, 0, 100, 2000)
    assert curves(tmp_path) == [(50, 2050), (100, 2100)]


def test_measuring_again_leaves_one_point(tmp_path):
    writer = train(tmp_path, 0, 100, 1000, close=False)
    writer.scalars(100, {"report/accuracy": 0.5})
    writer.finish(True)
    for accuracy in (0.5, 0.75):
        writer = Summaries(str(tmp_path), 100)
        writer.scalars(100, {"report/accuracy": accuracy})
        writer.image(100, "report/reliability", PNG)
        writer.finish(True)
        assert curves(tmp_path, "report/accuracy") == [(100, accuracy)]
        assert curves(tmp_path) == [(50, 1050), (100, 1100)]
        assert curves(tmp_path, "report/reliability") == [50, 100]


def test_a_kill_between_the_new_file_and_the_older_ones(tmp_path, monkeypatch):
    train(tmp_path, 0, 200, 1000)
    with monkeypatch.context() as patch:
        patch.setattr(type(epath.Path(tmp_path)), "unlink", lambda *_: None)
        train(tmp_path, 100, 150, 2000)
    want = [(50, 1050), (100, 1100), (150, 2150)]
    assert curves(tmp_path) == want
    Summaries(str(tmp_path), 150).close()
    assert curves(tmp_path) == want


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_file_costs_points_and_one_line(tmp_path, capsys, damage):
    train(tmp_path, 0, 200, 1000)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[:-3])
    elif damage == "flipped":
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    else:
        file.write_bytes(b"")
    train(tmp_path, 200, 250, 2000)
    found = curves(tmp_path)
    whole = [*[(s, 1000 + s) for s in range(50, 201, 50)], (250, 2250)]
    assert found[-1] == whole[-1]
    assert set(found) <= set(whole)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (damage != "emptied")
    for line in lines:
        assert line.startswith("ls_tf: tensorboard: ")
        assert line.endswith("; the curves lack what followed")


def test_columns_of_hparams_are_those_of_all_runs(tmp_path):
    from tensorboard import context
    from tensorboard.backend.event_processing import (
        data_provider,
        plugin_event_multiplexer,
    )
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import backend_context

    for name, changes in (
        ("a", {}),
        ("b", {"learning_rate": 0.5}),
        ("c", {"train.weight_decay": 1e-3, "text": "\ud800 $$ <b>"}),
    ):
        writer = Summaries(str(tmp_path / name), 0)
        writer.hparams({"alpha": 0.1, **changes}, name)
        writer.scalars(10, {"report/accuracy": 0.5})
        if name == "b":  # a translation has another metric beside
            writer.scalars(10, {"report/translation/bleu": 25.0})
        writer.finish(True)
    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(tmp_path))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(tmp_path))
    table = backend_context.Context(
        base_plugin.TBContext(data_provider=provider, logdir=str(tmp_path))
    )
    request = context.RequestContext()
    found = table.hparams_metadata(request, "0")
    assert len(found) == 3
    experiment = table.experiment_from_metadata(
        request,
        "0",
        True,
        found,
        table.hparams_from_data_provider(request, "0", 0),
    )
    names = {info.name for info in experiment.hparam_infos}
    assert names == {"alpha", "learning_rate", "train.weight_decay", "text"}
    metrics = {info.name.tag for info in experiment.metric_infos}
    assert metrics == {"report/accuracy", "report/translation/bleu"}
