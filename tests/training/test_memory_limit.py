"""How many networks fit in memory."""

import types

import pytest

from ls_tf.spec import SpecError
from ls_tf.training import memory_limit

GIB = 2**30


def test_what_fits_is_let_through():
    memory_limit.refuse(4, fixed=GIB, each=GIB, limit=5 * GIB)
    memory_limit.refuse(10**9, fixed=GIB, each=GIB, limit=0)  # not known


def test_what_does_not_says_how_many_would():
    with pytest.raises(SpecError) as caught:
        memory_limit.refuse(5, fixed=GIB, each=GIB, limit=5 * GIB)
    assert str(caught.value) == (
        "--stack: 5 networks need about 6.0 GiB of memory, there are 5.0; "
        "about 4 would fit"
    )
    with pytest.raises(SpecError, match="about 0 would fit"):
        memory_limit.refuse(2, fixed=6 * GIB, each=GIB, limit=5 * GIB)


def test_variables_take_what_their_types_take():
    variables = [
        types.SimpleNamespace(shape=(3, 4), dtype="float32"),
        types.SimpleNamespace(shape=(), dtype="int64"),
        types.SimpleNamespace(shape=(5,), dtype="float16"),
    ]
    assert memory_limit.bytes_of(variables) == 3 * 4 * 4 + 8 + 5 * 2


def analysis(**sizes):
    names = ("argument", "output", "alias", "temp")
    return types.SimpleNamespace(
        **{f"{n}_size_in_bytes": sizes.get(n, 0) for n in names}
    )


def test_a_compiled_stack_is_counted_by_its_program():
    # 2 GiB of data and 8 of state, updated in place, and 6 of scratch.
    found = analysis(
        argument=10 * GIB, output=8 * GIB, alias=8 * GIB, temp=6 * GIB
    )
    memory_limit.refuse_compiled(4, found, fixed=2 * GIB, limit=16 * GIB)
    with pytest.raises(SpecError, match="about 3 would fit"):
        memory_limit.refuse_compiled(4, found, fixed=2 * GIB, limit=15 * GIB)
    memory_limit.refuse_compiled(4, None, fixed=0, limit=1)


def device(platform, **stats):
    return types.SimpleNamespace(platform=platform, memory_stats=lambda: stats)


def test_the_limit_is_the_devices_together():
    gpus = [device("gpu", bytes_limit=3 * GIB)] * 2
    assert memory_limit.limit(gpus) == 6 * GIB
    assert memory_limit.limit([device("gpu")]) == 0
    # Devices made of one CPU share its memory.
    one = memory_limit.limit([device("cpu")])
    many = memory_limit.limit([device("cpu")] * 8)
    assert one == pytest.approx(many, rel=0.5)
    assert one > 2**20
