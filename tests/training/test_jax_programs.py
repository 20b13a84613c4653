"""Programs are shared where they compute the same, and only there."""

import threading

import jax
import numpy as np
import pytest
from jax import lax, stages

from ls_tf import stopping
from ls_tf.stopping import StoppedError, waiting
from ls_tf.training import jax_programs

SECONDS = 30.0  # until a test gives up to wait for what must come


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    monkeypatch.setattr(jax_programs, "_programs", jax_programs._Programs())


def compiled(function, *arguments, **options):
    return jax_programs.begin(
        function, *(jax.device_put(a) for a in arguments), **options
    ).program()


def scaled_by(values):
    """A function with an array inside, made anew each time."""
    inside = np.asarray(values, np.float32)
    return lambda numbers: numbers["a"] * inside


def test_the_same_sums_are_one_program():
    one = compiled(scaled_by([2, 3]), {"a": np.float32(1)})
    two = compiled(scaled_by([2, 3]), {"a": np.float32(7)})
    assert one is two
    np.testing.assert_array_equal(two({"a": jax.device_put(7.0)}), [14, 21])


@pytest.mark.parametrize(
    "other",
    [
        (scaled_by([2, 4]), {"a": np.float32(1)}),
        (scaled_by([2, 3]), {"a": np.ones(2, np.float32)}),
        (lambda n: n["b"] * np.float32([2, 3]), {"b": np.float32(1)}),
        (lambda n: {"c": scaled_by([2, 3])(n)}, {"a": np.float32(1)}),
    ],
    ids=["values inside", "shapes", "names", "names of results"],
)
def test_what_differs_is_another_program(other):
    function, arguments = other
    one = compiled(scaled_by([2, 3]), {"a": np.float32(1)})
    two = compiled(function, arguments)
    assert one is not two
    placed = jax.device_put(arguments)
    jax.tree.map(np.testing.assert_array_equal, two(placed), function(placed))


def test_arguments_that_are_not_used_are_told_apart():
    numbers = {"a": np.float32(2), "b": np.float32(3)}
    first = compiled(lambda n: n["a"] + 1, numbers)
    second = compiled(lambda n: n["b"] + 1, numbers)
    placed = jax.device_put(numbers)
    assert (float(first(placed)), float(second(placed))) == (3, 4)


def test_only_those_used_last_are_kept(monkeypatch):
    monkeypatch.setattr(jax_programs, "_KEPT", 2)
    one, two = {"a": np.float32(1)}, {"a": np.ones(2, np.float32)}
    kept, dropped = (
        compiled(scaled_by([1, 1]), one),
        compiled(scaled_by([2, 2]), one),
    )
    assert compiled(scaled_by([1, 1]), one) is kept
    compiled(scaled_by([1, 1]), two)
    assert compiled(scaled_by([1, 1]), one) is kept
    assert compiled(scaled_by([2, 2]), one) is not dropped


def of_size(size):
    """What is summed over, and what begins its program."""
    values = jax.device_put(np.arange(size, dtype=np.float32))
    return values, lambda ahead: jax_programs.begin(
        lambda v: v.sum(), values, ahead=ahead
    )


@pytest.fixture
def compilers(monkeypatch):
    """Sizes whose compiling has begun; each waits until it is let go."""

    class Compilers:
        begun, ended, most = [], [], 0
        let_go = {size: threading.Event() for size in range(1, 9)}
        lock = threading.Condition()

    compiled = stages.Lowered.compile

    def compile_when_let_go(lowered, options):
        (aval,) = jax.tree.leaves(lowered.in_avals)
        with Compilers.lock:
            Compilers.begun.append(aval.size)
            at_once = len(Compilers.begun) - len(Compilers.ended)
            Compilers.most = max(Compilers.most, at_once)
            Compilers.lock.notify_all()
        assert Compilers.let_go[aval.size].wait(SECONDS)
        program = compiled(lowered, options)
        with Compilers.lock:
            Compilers.ended.append(aval.size)
        return program

    monkeypatch.setattr(stages.Lowered, "compile", compile_when_let_go)
    monkeypatch.setattr(jax_programs, "_MOST_AHEAD", 2)
    yield Compilers
    for event in Compilers.let_go.values():
        event.set()


def test_the_next_shapes_are_compiled_while_one_is_waited_for(compilers):
    sizes = [3, 1, 3, 2, 1, 4, 5]
    begun = []

    def coming():
        for size in sizes:
            begun.append(size)
            yield size, of_size(size)[1]

    in_turn = jax_programs.InTurn(coming())

    def let_go_when_two_more_are_compiled():
        with compilers.lock:
            assert compilers.lock.wait_for(
                lambda: len(compilers.begun) == 3, SECONDS
            )
        compilers.let_go[3].set()

    helper = threading.Thread(target=let_go_when_two_more_are_compiled)
    helper.start()
    values, begin = of_size(3)
    assert float(in_turn.program(3, begin)(values)) == 3
    helper.join()
    # All were traced while the first was waited for; of those that are not
    # needed yet two are compiled, the first first.
    assert begun == sizes
    assert compilers.begun[0] == 3 and set(compilers.begun[1:]) == {1, 2}
    # What is ready is taken; only what is asked for is waited for.
    compilers.let_go[1].set()
    values, begin = of_size(1)
    assert float(in_turn.program(1, begin)(values)) == 0
    compilers.let_go[4].set()
    values, begin = of_size(4)
    assert float(in_turn.program(4, begin)(values)) == 6
    assert {2, 5}.isdisjoint(compilers.ended)
    assert compilers.most == 3
    # What nobody thought of is compiled at once, before those in the queue.
    compilers.let_go[8].set()
    values, begin = of_size(8)
    assert float(in_turn.program(8, begin)(values)) == 28
    with compilers.lock:
        assert compilers.lock.wait_for(lambda: 5 in compilers.begun, SECONDS)
    assert sorted(compilers.begun) == [1, 2, 3, 4, 5, 8]


def test_what_is_soon_there_is_not_held_up_by_others(monkeypatch):
    monkeypatch.setattr(jax_programs, "_SOON_SECONDS", SECONDS)
    begun = []

    def coming():
        begun.append(2)
        yield 2, of_size(2)[1]

    in_turn = jax_programs.InTurn(coming())
    values, begin = of_size(3)
    assert float(in_turn.program(3, begin)(values)) == 3
    assert begun == []


def test_a_program_that_is_compiled_already_ahead_is_not_begun_again(compilers):
    values, begin = of_size(2)
    first = begin(True)
    second = begin(False)
    compilers.let_go[2].set()
    assert first.program() is second.program() is begin(False).program()
    assert compilers.begun == [2]


def test_a_compiler_that_fails_is_heard_of_where_its_program_is_needed(
    monkeypatch,
):
    compiled = stages.Lowered.compile
    tried = threading.Event()

    def fail_at_two(lowered, options):
        (aval,) = jax.tree.leaves(lowered.in_avals)
        if aval.size == 2:
            tried.set()
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        if aval.size == 1:
            assert tried.wait(SECONDS)
        return compiled(lowered, options)

    monkeypatch.setattr(stages.Lowered, "compile", fail_at_two)
    sizes = (1, 2, 3)
    in_turn = jax_programs.InTurn((n, of_size(n)[1]) for n in sizes)
    for size in (1, 3):
        values, begin = of_size(size)
        in_turn.program(size, begin)(values)
    with pytest.raises(RuntimeError, match="out of memory"):
        in_turn.program(2, of_size(2)[1])
    assert not stopping.is_abandoned()


def test_a_stop_waits_for_no_compiler(compilers):
    traced = []

    def coming():
        for size in (1, 2, 3):
            traced.append(size)
            if size == 2:
                stopping.request()
            yield size, of_size(size)[1]

    in_turn = jax_programs.InTurn(coming())
    with stopping.listening(), pytest.raises(StoppedError):
        in_turn.program(1, of_size(1)[1])
    # Nothing more is traced, and the process may end over what goes on.
    assert traced == [1, 2]
    assert stopping.is_abandoned()
    for event in compilers.let_go.values():
        event.set()
    for call in list(waiting._under_way):
        call.result(SECONDS)
    assert not stopping.is_abandoned()


def sums_and_factors(numbers):
    """A sum of two uses, each of which could compute it once more."""
    # What ``kernels.stored`` asks for.
    total = lax.optimization_barrier(numbers["a"] + 1)
    return total * 2, total * total


def test_what_is_stored_is_computed_once():
    numbers = {"a": np.arange(4, dtype=np.float32)}
    program = compiled(sums_and_factors, numbers)
    assert "opt-barrier" in program.as_text()
    double, square = program(jax.device_put(numbers))
    np.testing.assert_array_equal(double, [2, 4, 6, 8])
    np.testing.assert_array_equal(square, [1, 4, 9, 16])


def test_an_accelerators_compiler_is_told_nothing(monkeypatch):
    assert jax_programs._options()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert jax_programs._options() == {}
