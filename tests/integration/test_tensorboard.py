"""TensorBoard, started on loopback, serves what a run logs."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from command_line import Line

pytestmark = pytest.mark.slow

# Straight to loopback, whatever proxy the machine is set to use.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    line = Line(tmp_path_factory.mktemp("line"), draws=True)
    for alpha in ("0", "0.1"):
        line(
            "--experiment=fc_digits",
            f"--alpha={alpha}",
            "--set=train.steps=200",
            "--set=evaluators.0.every_steps=100",
        )
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = tmp_path_factory.mktemp("tensorboard") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tensorboard.main",
                f"--logdir={line.runs}",
                "--host=127.0.0.1",
                f"--port={port}",
                "--load_fast=false",
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}/data/"
    try:
        deadline = time.monotonic() + 180
        while True:
            seen = None
            try:
                seen = get(url + "runs")
                if len(seen) >= 2:
                    break
            except (urllib.error.URLError, ConnectionError) as error:
                seen = error
            late = time.monotonic() > deadline
            if late or process.poll() is not None:
                pytest.fail(f"TensorBoard: {seen!r}\n{log.read_text()[-2000:]}")
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def get(url, body=None):
    request = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with DIRECT.open(request, timeout=20) as answer:
        return json.loads(answer.read())


def run_name(server):
    return next(r for r in get(server + "runs") if "alpha=0," in r)


def test_scalars_over_training(server):
    run = run_name(server)
    tags = get(server + "plugin/scalars/tags")[run]
    for tag in (
        "train/loss",
        "train/nll",
        "train/accuracy",
        "learning_rate",
        "report/ece",
        "report/nll",
        "report/accuracy",
        "report/reliability/temperature",
    ):
        assert tag in tags
    query = urllib.parse.urlencode({"run": run, "tag": "train/loss"})
    points = get(f"{server}plugin/scalars/scalars?{query}")
    assert [step for _, step, _ in points] == [100, 200]
    query = urllib.parse.urlencode({"run": run, "tag": "report/ece"})
    points = get(f"{server}plugin/scalars/scalars?{query}")
    assert [step for _, step, _ in points] == [100, 200]
    assert all(0 <= value <= 1 for _, _, value in points)


@pytest.mark.parametrize("tag", ["report/reliability", "report/projection"])
def test_pictures(server, tag):
    run = run_name(server)
    query = urllib.parse.urlencode({"run": run, "tag": tag})
    found = get(f"{server}plugin/images/images?{query}")
    assert len(found) == 1
    url = f"{server}plugin/images/individualImage?{found[0]['query']}"
    with DIRECT.open(url, timeout=20) as answer:
        png = answer.read()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(png[i : i + 4]) for i in (16, 20))
    assert width > 100 and height > 100


def test_hparams_make_one_table(server):
    groups = get(
        server + "plugin/hparams/session_groups",
        {
            "experimentName": "",
            "allowedStatuses": ["STATUS_SUCCESS"],
            "colParams": [],
            "startIndex": 0,
            "sliceSize": 10,
        },
    )["sessionGroups"]
    alphas = {g["hparams"]["alpha"] for g in groups}
    assert alphas == {0.0, 0.1}
    assert {g["hparams"]["seed"] for g in groups} == {0}
    for group in groups:
        names = {m["name"]["tag"] for m in group["metricValues"]}
        assert {"report/accuracy", "report/ece", "report/nll"} <= names
