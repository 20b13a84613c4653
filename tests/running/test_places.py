"""Which process this is: by TF_CONFIG, by flags, by the cluster."""

import json

import pytest

from ls_tf.running import places
from ls_tf.running.machine import Machine
from ls_tf.running.places import Place
from ls_tf.spec import SpecError

GOOD = {
    "cluster": {"worker": ["a:1", "b:2"]},
    "task": {"type": "worker", "index": 1},
}
CONFIG = json.dumps(GOOD)
SLURM = {
    "SLURM_JOB_ID": "5000",
    "SLURM_STEP_NODELIST": "node[003,005-007],other2",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
}


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in ("TF_CONFIG", *SLURM):
        monkeypatch.delenv(name, raising=False)


def machine(*given, engine="jax", strategy="multi_worker"):
    names = ("coordinator", "processes", "process")
    return Machine(
        engine=engine,
        strategy=strategy,
        **dict(zip(names, given, strict=False)),
    )


@pytest.mark.parametrize("strategy", ["multi_worker", "tpu"])
def test_flags_say_it(strategy):
    place = places.of(machine("host:123", 3, 1, strategy=strategy))
    assert place == Place(1, ("host:123", "", ""), "--coordinator")
    assert place.count == 3


@pytest.mark.parametrize("engine", ["jax", "tensorflow"])
def test_tf_config_says_it_to_both_engines(monkeypatch, engine):
    monkeypatch.setenv("TF_CONFIG", CONFIG)
    place = places.of(machine(engine=engine))
    assert place == Place(1, ("a:1", "b:2"), "TF_CONFIG")


def test_flags_and_tf_config_that_say_the_same(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", CONFIG)
    assert places.of(machine("a:1", 2, 1)).index == 1


def test_slurm_says_it_to_jax(monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    place = places.of(machine())
    # JAX takes the first host, and a port from the job's number:
    # 5000 - 4096 above 65535 - 4096 + 1.
    assert place == Place(2, ("node003:62344", "", "", ""), "Slurm", True)


def test_one_device_of_many_processes_is_alone(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    for name in ("default", "mirrored"):
        for engine in ("jax", "tensorflow"):
            place = places.of(machine(strategy=name, engine=engine))
            assert place == Place()


def test_a_tpu_without_a_cluster_is_that_of_this_host():
    assert places.of(machine(strategy="tpu")) == Place()


@pytest.mark.parametrize(
    ("given", "more", "says"),
    [
        (("a:1", 2, 2), {}, "--process: wanted 0 to 1 of --processes=2, got 2"),
        (("a", 2, 1), {}, "--coordinator: wanted HOST:PORT, got 'a'"),
        (("a:x", 2, 1), {}, "--coordinator: wanted HOST:PORT, got 'a:x'"),
        ((":1", 2, 1), {}, "--coordinator: wanted HOST:PORT, got ':1'"),
        (("a:1", 2), {}, "wanted all three or none"),
        (("a:1", None, 0), {}, "wanted all three or none"),
        ((None, 2, 0), {}, "wanted all three or none"),
        (("a:1", 2, 0), {"engine": "tensorflow"}, "are for --engine=jax"),
        (("a:1", 2, 0), {"strategy": "default"}, "--strategy=multi_worker"),
        ((), {}, "wanted --coordinator, --processes and --process, a TF_"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(given, more, says):
    with pytest.raises(SpecError) as error:
        places.of(machine(*given, **more))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("a:1", 3, 1), "--processes=3 does not fit TF_CONFIG, which says 2"),
        (("a:1", 2, 0), "--process=0 does not fit TF_CONFIG, which says 1"),
        (("c:1", 2, 1), "--coordinator=c:1 does not fit TF_CONFIG, which"),
    ],
)
def test_flags_that_contradict_tf_config(monkeypatch, given, says):
    monkeypatch.setenv("TF_CONFIG", CONFIG)
    with pytest.raises(SpecError, match=says):
        places.of(machine(*given))


@pytest.mark.parametrize("engine", ["jax", "tensorflow"])
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        ({"cluster": {}}, "malformed"),
        ({"cluster": GOOD["cluster"]}, "malformed"),
        ({**GOOD, "task": {"type": "ps", "index": 0}}, "only workers"),
        ({**GOOD, "task": {"type": "worker", "index": 2}}, "index of 0 to 1"),
        ({**GOOD, "task": {"type": "worker", "index": "0"}}, "index of 0 to 1"),
        ({**GOOD, "cluster": {"worker": ["nowhere"]}}, "addresses"),
        ({**GOOD, "cluster": {"worker": "a:1"}}, "addresses"),
        ({**GOOD, "cluster": {"worker": [7]}}, "addresses"),
        ({**GOOD, "cluster": {"worker": ["a:65536"]}}, "addresses"),
        ({**GOOD, "cluster": {"worker": ["a:\u00b2"]}}, "addresses"),
        ({**GOOD, "cluster": {"worker": [":1"]}}, "addresses"),
        ({**GOOD, "cluster": {"worker": ["a:1", "a:1"]}}, "one address"),
        ({**GOOD, "task": {"type": "worker", "index": True}}, "0 to 1"),
    ],
)
def test_a_malformed_config_is_one_line(monkeypatch, engine, config, says):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SpecError) as error:
        places.of(machine(engine=engine))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_no_config_at_all():
    with pytest.raises(SpecError, match="TF_CONFIG is not set; wanted"):
        places.of(machine(engine="tensorflow"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"SLURM_NTASKS": "many"},
        {"SLURM_PROCID": "4"},
        {"SLURM_STEP_NODELIST": ",a"},
    ],
)
def test_a_job_of_slurm_that_makes_no_sense(monkeypatch, wrong):
    for name, value in (SLURM | wrong).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match="Slurm does not say which process"):
        places.of(machine())
