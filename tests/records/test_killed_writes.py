"""A record whose writer is killed at any instant stays readable."""

import json
import os
import subprocess
import sys

import pytest

_REWRITE = """
import json, os, random, signal, sys, time
import numpy as np
from ls_tf.records import files, runs
from ls_tf.records.record import read_record
from ls_tf.spec.resolve import resolve

# The power stays on: waits for the disk would only part the kills.
files.sync = lambda path: None
root, kills = sys.argv[1], int(sys.argv[2])
identity = resolve("fc_digits", smoke=True)
path = runs.Path(root) / identity.folder
rng = random.Random(0)


def rewrite(told):
    with runs.opened(root, identity) as directory:
        rows = runs.Record(path, {}).metrics()
        step = int(rows[-1]["step"]) if rows else 0
        directory.rewind(step)
        os.write(told, b".")
        while True:
            step += 1
            directory.log(step, {"train/loss": 1 / step, "train/nll": 2 / step})
            directory.update(step=step)
            directory.measure(
                "e", "report", split="test", step=step, count=step,
                scalars={"x": 1 / step}, arrays={"x": np.full(9, 1 / step)},
            )
            os.write(told, b".")


seen = {"run": 0, "metrics": 0, "measurement": 0}
for number in range(kills):
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            rewrite(told)
        finally:
            os._exit(1)
    # Past the opening, or some steps, however busy the machine is.
    for _ in range(number % 4):
        os.read(ready, 1)
    time.sleep(rng.uniform(0.0, 0.03))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(ready), os.close(told)
    record = read_record(path)
    if record is None:
        # The first of them, on a busy machine: before there is a record.
        assert seen["run"] == 0 and not (path / "run.json").exists()
        continue
    run = record.run
    rows = record.metrics()
    seen["run"] += run is not None and run["digest"] == identity.digest
    seen["metrics"] += bool(rows)
    for row in rows:
        assert row["train/loss"] == 1 / row["step"], row
    if (path / "measurements" / "e_report.json").exists():
        found = record.measurement("e", "report")
        assert found["scalars"] == {"x": 1 / found["step"]}
        # The arrays are written first: they are this step's or a later one's.
        x = record.arrays("e", "report")["x"]
        assert x.shape == (9,) and (x == x[0]).all(), x
        assert round(1 / x[0]) >= found["step"], (x, found)
        seen["measurement"] += 1
with runs.opened(root, identity):
    pass
left = [str(p) for p in path.iterdir() if p.name.startswith(".")]
assert left == [], left
print(json.dumps(seen))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_instant_leaves_a_readable_record(tmp_path):
    kills = 120
    done = subprocess.run(
        [sys.executable, "-c", _REWRITE, str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # The kills fell where they tell something.
    assert seen["run"] > kills / 2
    assert seen["metrics"] > kills / 2
    assert seen["measurement"] > kills / 2
