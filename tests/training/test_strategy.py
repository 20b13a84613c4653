"""TF_CONFIG and strategy names are checked before TensorFlow is imported."""

import json
import pathlib
import subprocess
import sys

import pytest

from ls_tf.spec import SpecError
from ls_tf.training import strategy

ROOT = pathlib.Path(__file__).parents[2]
GOOD = {
    "cluster": {"worker": ["127.0.0.1:1234", "127.0.0.1:1235"]},
    "task": {"type": "worker", "index": 1},
}


def environment(config):
    text = config if isinstance(config, str) else json.dumps(config)
    return {"TF_CONFIG": text}


def test_a_good_config_gives_index_and_number():
    assert strategy.place(environment(GOOD)) == (
        1,
        ("127.0.0.1:1234", "127.0.0.1:1235"),
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("", "not set"),
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
def test_a_malformed_config_is_one_line(config, says):
    with pytest.raises(SpecError) as error:
        strategy.check("multi_worker", environment(config))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_strategy_lists_what_exists():
    with pytest.raises(SpecError, match="did you mean 'mirrored'"):
        strategy.check("mirored")


def test_other_strategies_do_not_read_the_config():
    strategy.check("default", environment("{"))


@pytest.mark.slow
def test_no_tpu_is_one_line(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "run_experiment.py"),
            "--experiment=fc_digits",
            "--strategy=tpu",
            f"--runs_dir={tmp_path / 'runs'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert message.startswith("ls_tf: --strategy=tpu found no TPU; it wants")
    assert not (tmp_path / "runs").exists()
