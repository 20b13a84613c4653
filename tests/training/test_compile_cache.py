"""Where compiled programs are kept, and what if they cannot be."""

import errno
import os
import sys
import warnings
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax._src import compilation_cache as jax_cache
from jax._src import lru_cache

from ls_tf.records import files
from ls_tf.training import compile_cache

OPTIONS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
    "jax_persistent_cache_enable_xla_caches",
)


@pytest.fixture(autouse=True)
def _of_a_user(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.setattr(lru_cache.LRUCache, "put", lru_cache.LRUCache.put)
    before = {name: getattr(jax.config, name) for name in OPTIONS}
    yield lambda: tuple(getattr(jax.config, name) for name in OPTIONS)
    for name, value in before.items():
        jax.config.update(name, value)


def base(chosen=None):
    where, part = os.path.split(compile_cache.folder(chosen))
    assert part.startswith("jax-")
    return where


def test_it_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    assert base() == f"{tmp_path}/.cache/ls_tf"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere/cache")
    assert base() == "/elsewhere/cache/ls_tf"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert base() == f"{tmp_path}/.cache/ls_tf"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert base() == f"{tmp_path}/Library/Caches/ls_tf"


def test_it_is_where_a_user_says(monkeypatch, tmp_path):
    assert base("~/kept") == f"{tmp_path}/kept"
    assert base("gs://bucket/kept") == "gs://bucket/kept"
    monkeypatch.chdir(tmp_path)
    assert base("here") == f"{tmp_path}/here"
    assert compile_cache.folder("off") is None
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/of/jax")
    assert compile_cache.folder(None) == "/of/jax"
    assert base("here") == f"{tmp_path}/here"


def test_processors_of_another_kind_have_another_part(monkeypatch):
    mine = compile_cache.folder("/kept")
    assert compile_cache.folder("/kept") == mine
    lines = ["model name : other", "flags : sse", "", "model name : third"]

    def read_text(path):
        return "\n".join(lines)

    monkeypatch.setattr(
        type(compile_cache.epath.Path("/proc/cpuinfo")), "read_text", read_text
    )
    other = compile_cache.folder("/kept")
    assert other != mine
    lines[3] = "model name : fourth"  # of the next processor
    assert compile_cache.folder("/kept") == other
    lines[1] = "flags : sse avx"
    assert compile_cache.folder("/kept") not in (mine, other)


def test_everything_is_kept(settings, tmp_path):
    assert compile_cache.use(str(tmp_path / "a" / "kept")) == ""
    where, *rest = settings()
    assert where == compile_cache.folder(str(tmp_path / "a" / "kept"))
    assert os.path.isdir(where)
    assert rest == [0.0, -1, "xla_gpu_per_fusion_autotune_cache_dir"]


def test_off_keeps_nothing(settings, tmp_path):
    assert compile_cache.use("off") == ""
    assert settings()[0] is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_of(settings, tmp_path):
    (tmp_path / "file").write_text("")
    line = compile_cache.use(str(tmp_path / "file"))
    assert line == (
        "--compile_cache: nothing compiled is kept, "
        f"{compile_cache.folder(str(tmp_path / 'file'))} cannot be written: "
        "Not a directory"
    )
    assert settings()[0] is None


def test_a_folder_that_is_not_ours_is_told_of(settings, tmp_path, monkeypatch):
    # Not by its bits: for root they mean nothing.
    monkeypatch.setattr(compile_cache.local, "may_write", lambda path: False)
    assert compile_cache.use(str(tmp_path)).endswith(": Permission denied")
    assert settings()[0] is None


class _Compressor:
    """As zstandard's."""

    def __init__(self, write_checksum=False):
        self._end = b"checked" if write_checksum else b""

    def compress(self, data):
        return data + self._end


def _of_python(data, level=None, options=None):
    return data + (b"checked" if options == {"flag": True} else b"")


@pytest.mark.parametrize(
    "there",
    [
        {"zstandard": SimpleNamespace(ZstdCompressor=_Compressor)},
        {
            "zstd": SimpleNamespace(
                compress=_of_python,
                CompressionParameter=SimpleNamespace(checksum_flag="flag"),
            )
        },
    ],
)
def test_an_entry_has_a_checksum(monkeypatch, there):
    for name in ("zstd", "zstandard"):
        monkeypatch.setattr(jax_cache, name, there.get(name))
    monkeypatch.setattr(
        jax_cache, "compress_executable", jax_cache.compress_executable
    )
    compile_cache._check_entries()
    assert jax_cache.compress_executable(b"program ") == b"program checked"


@pytest.fixture
def program(tmp_path, settings):
    """What runs a compiled program, and the file of its entry."""
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)

    @jax.jit
    def step(x):
        return jax.numpy.tanh(x @ x) * 3.25

    def run():
        jax.clear_caches()
        return np.asarray(step(x))

    jax_cache.reset_cache()
    assert compile_cache.use(str(tmp_path)) == ""
    try:
        run()
        (file,) = tmp_path.rglob("jit_step-*-cache")
        yield run, file
    finally:
        jax_cache.reset_cache()


def test_a_damaged_entry_is_compiled_again(program):
    run, file = program
    before, whole = run(), file.read_bytes()
    # Behind the head, and where the program's own bytes are.
    for place in (20, len(whole) // 2, len(whole) - 20):
        flipped = whole[place] ^ 4
        file.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
        with pytest.warns(UserWarning, match="Error reading persistent"):
            after = run()
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("left", [0, 1000])
def test_what_was_cut_is_compiled_once_more_and_not_always(
    tmp_path, program, left
):
    run, file = program
    before = run()
    file.write_bytes(file.read_bytes()[:left])  # by a kill, or a full disk
    for damaged in (1, 0):
        with warnings.catch_warnings(record=True, action="always") as said:
            after = run()
        np.testing.assert_array_equal(after, before)
        assert len([w for w in said if "jit_step" in str(w)]) == damaged
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_that_is_deleted_is_made_again(tmp_path, settings, recwarn):
    compile_cache.use(str(tmp_path))
    where = compile_cache.folder(str(tmp_path))
    entries = lru_cache.LRUCache(where, max_size=-1)
    entries.path.rmdir()
    entries.put("name", b"program")
    assert entries.get("name") == b"program"
    assert not recwarn


def test_a_full_disk_is_said_once(tmp_path, settings, monkeypatch, capfd):
    compile_cache.use(str(tmp_path))

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "overwrite", full)
    entries = lru_cache.LRUCache(str(tmp_path / "x"), max_size=-1)
    for name in ("a", "b"):
        entries.put(name, b"program")
        assert entries.get(name) is None
    assert capfd.readouterr().err == (
        "ls_tf: --compile_cache: not all that is compiled is kept, "
        f"{tmp_path}/x cannot be written: No space left on device\n"
    )
