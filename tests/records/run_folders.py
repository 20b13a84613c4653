"""Run directories that tests of records make, and what refuses them."""

import pathlib

import pytest

from ls_tf.records import runs
from ls_tf.records.runs import RunError
from ls_tf.spec.resolve import resolve

IDENTITY = resolve("fc_digits", smoke=True)
FACTS = {"command": ["x", "--smoke"], "git": {"commit": "abc", "dirty": False}}


def tree(folder):
    """Every file below a folder with its bytes and time of change."""
    return {
        str(p.relative_to(folder)): (
            p.stat().st_mtime_ns,
            p.read_bytes() if p.is_file() else None,
        )
        for p in sorted(pathlib.Path(folder).rglob("*"))
    }


def opened(folder, identity=IDENTITY):
    return runs.opened(str(folder), identity, **FACTS)


def folder_of(root, identity=IDENTITY):
    return pathlib.Path(root) / identity.folder


def make_finished(root, identity=IDENTITY):
    with opened(root, identity) as directory:
        directory.update(outcome="finished")
    return folder_of(root, identity)


def assert_refused(root, *words, identity=IDENTITY):
    """Opening and refusing say the same line, and nothing changes."""
    before = tree(root)
    messages = []
    for act in (
        lambda: runs.refuse(str(root), identity),
        lambda: opened(root, identity).__enter__(),
    ):
        with pytest.raises(RunError) as caught:
            act()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "\n" not in messages[0]
    for word in words:
        assert str(word) in messages[0]
    after = tree(root)
    assert after.keys() == before.keys()
    assert {k: v[1] for k, v in after.items()} == {
        k: v[1] for k, v in before.items()
    }
