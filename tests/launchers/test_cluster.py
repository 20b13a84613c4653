"""What a job does on a node of a Ray cluster, without the cluster."""

import signal
import socket
import threading

import pytest

from ls_tf.launchers import cluster
from ls_tf.launchers.carrying import Carrier
from ls_tf.running import agreement
from ls_tf.spec import SpecError

CODE = agreement.about_code("jax", "classification")


def carried_out(tmp_path, source, code=CODE):
    log = tmp_path / "jobs" / "log"
    carrier = Carrier(("-c", source), str(tmp_path), {})
    found = cluster.carry_out(carrier, code, "jax", "classification", str(log))
    return found, log


def test_the_exit_code_and_the_log_come_back(tmp_path):
    source = "import sys; print('said', file=sys.stderr); sys.exit(5)"
    found, log = carried_out(tmp_path, source)
    assert found == (5, "")
    assert log.read_text() == "said\n"


@pytest.mark.parametrize(
    "name", ["version of jax", "source of ls_tf.running.loop", "git commit"]
)
def test_a_node_of_other_code_is_refused(tmp_path, name):
    if CODE[name] is None:
        pytest.skip("no repository")
    (code, line), log = carried_out(tmp_path, "", {**CODE, name: "0123"})
    there = str(CODE[name])
    assert code == 2 and not log.exists()
    assert line == (
        f"node {socket.gethostname()} runs other code: {name}: "
        f"{there} there, 0123 here"
    )


def test_a_function_that_ray_ends_stops_its_job(tmp_path):
    """Ray raises KeyboardInterrupt in the main thread."""
    source = (
        "import signal, time\n"
        "try:\n"
        "    open('begun', 'w').close()\n"
        "    time.sleep(30)\n"
        "except KeyboardInterrupt:\n"
        "    time.sleep(0.3)\n"
        "    open('saved', 'w').close()\n"
    )

    def interrupt():
        while not (tmp_path / "begun").exists():
            threading.Event().wait(0.02)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        carried_out(tmp_path, source)
    thread.join()
    assert (tmp_path / "saved").exists()


def test_what_ray_would_set_is_as_it_is_here(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", "/shared/tfds")
    assert cluster._environment() == {
        "OMP_NUM_THREADS": None,
        "TFDS_DATA_DIR": "/shared/tfds",
    }


@pytest.mark.parametrize("where", ["nonsense", "host:", ":1", "host:port"])
def test_an_address_is_one(where):
    with pytest.raises(SpecError, match="wanted HOST:PORT, ray://HOST:PORT"):
        cluster._join(where)
