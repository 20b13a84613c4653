"""What the runs of one process compile, counted by JAX's own events."""

import json
import os
from pathlib import Path

import numpy as np
import programs
import pytest
from command_line import arrays

pytestmark = pytest.mark.slow

COUNTED = Path(__file__).with_name("counted_programs.py")


def counted(what, folder, **environment):
    env = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "0", **environment}
    done = programs.run(COUNTED, what, str(folder), engine="jax", env=env)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_sweep_of_temperatures_compiles_its_step_once(tmp_path):
    first, *others, alone = counted("sweep", tmp_path)
    # The teacher's steps and the student's: networks of other shapes.
    assert first.count("jit(many)") == 2
    # Neither training nor measuring compiles anything for a further one.
    assert others == [[], [], []]
    # The program that all have used gives what one made for it gives.
    assert alone.count("jit(many)") == 2
    folders = {
        place: sorted((tmp_path / place).glob("fc_digits_student/*/*"))
        for place in ("sweep", "alone")
    }
    (wanted,) = folders["alone"]
    weights = arrays(wanted)
    same = [
        folder.parent.name == wanted.parent.name
        for folder in folders["sweep"]
        if all(np.array_equal(weights[k], v) for k, v in arrays(folder).items())
    ]
    assert len(folders["sweep"]) == 4
    assert same == [True]


def test_a_second_process_compiles_nothing_that_is_kept(tmp_path):
    kept = {"JAX_ENABLE_COMPILATION_CACHE": "1"}
    first = counted("kept", tmp_path, **kept)
    runs = tmp_path / "runs"
    runs.rename(tmp_path / "first")
    second = counted("kept", tmp_path, **kept)
    # The smallest programs, of single operations, are kept too.
    assert first["misses"] > 5
    # The step alone has a name, and that holds in another process.
    assert (first.pop("traced"), second.pop("traced")) == (1, 0)
    assert second == {"hits": sum(first.values()), "misses": 0}
    (before,) = (tmp_path / "first").glob("*/*/*")
    (after,) = runs.glob("*/*/*")
    weights = arrays(before)
    for name, value in arrays(after).items():
        np.testing.assert_array_equal(weights[name], value)


def test_what_an_earlier_process_has_traced_computes_the_same(tmp_path):
    kept = {"JAX_ENABLE_COMPILATION_CACHE": "1"}
    found = counted("traced", tmp_path, **kept)
    assert found["fc_digits"] == [1, 0, 0, True]
    first, *others = found["transformer_numbers"]
    assert (first >= 1, others) == (True, [0, 0, True])


def test_the_next_plan_is_made_while_the_device_works(tmp_path):
    done, is_same = counted("ahead", tmp_path)
    # Only the first call waits for its plan. Each next one may have twice the
    # steps, at most the longest call's, and none behind the last step of 30.
    assert done == [
        *("plan 0+1", "call 1", "plan 1+2", "wait"),
        *("call 2", "plan 3+4", "wait"),
        *("call 4", "plan 7+8", "wait"),
        *("call 8", "plan 15+8", "wait"),
        *("call 3", "plan 18+6", "wait"),
        # More than was thought of.
        *("plan 18+8", "call 8", "plan 26+4", "wait"),
        # Calls that are begun are waited for only when their means are asked
        # for. What was planned for one may do for the next.
        *("call 1", "plan 27+2", "call 2", "plan 29+1", "call 1"),
        *("wait", "wait", "wait"),
    ]
    assert is_same


def test_a_loop_of_known_length_computes_the_same(tmp_path):
    counting, knowing = counted("lengths", tmp_path)
    assert (counting.pop("programs"), knowing.pop("programs")) == (1, 2)
    assert len(counting["losses"]) == 20
    assert counting == knowing


def test_the_shapes_of_sentences_are_compiled_side_by_side(tmp_path):
    kept = {"JAX_ENABLE_COMPILATION_CACHE": "1"}
    in_turn, beside, evaluated = counted("shapes", tmp_path, **kept)
    # Without looking ahead each is waited for, and compiled by itself.
    assert (in_turn.pop("most"), in_turn.pop("waited")) == (1, 3)
    assert in_turn["programs"] == 3
    # Beside the steps nothing is compiled: plans are cut on the host.
    assert in_turn["others"] == []
    # The second and third were there before the first, for which alone one of
    # the hundred steps has waited.
    assert 2 <= beside.pop("most") <= 3
    assert beside.pop("waited") == 1
    # The same programs, losses and weights to the bit.
    assert len(beside["losses"]) == 100
    assert beside == in_turn
    assert 2 <= evaluated.pop("most") <= 3
    assert evaluated == {"sums": [6, 1, 6, 3, 1], "waited": 1}
