"""Compiled programs that are kept on a disk from one process to the next.

JAX keeps them under a digest of the program, of its own version, the flags of
XLA and the devices, so that several experiments, commits and processes share a
folder. What it does not tell apart are the processors of machines that share a
user's folder: each kind has a part of its own here.
"""

import errno
import functools
import hashlib
import os
import platform
import sys
from typing import Any

from etils import epath

from ls_tf import streams
from ls_tf.records import files, local

OFF = "off"
_PART = "jax"
_TRACED = "traced"


def folder(chosen: str | None) -> str | None:
    """Where programs are kept.

    Args:
        chosen: a folder, "off", or None for the default: what
            JAX_COMPILATION_CACHE_DIR says, else the user's cache folder.

    Returns:
        str: of programs for this kind of machine; None if none are kept.

    Source: ours; the XDG Base Directory Specification, and Apple's.
    """
    if chosen == OFF:
        return None
    if chosen is None:
        theirs = os.environ.get("JAX_COMPILATION_CACHE_DIR")
        if theirs is not None:
            return theirs or None
        base = _of_user()
    else:
        base = epath.Path(chosen).expanduser()
        if local.is_local(base):
            base = base.absolute()
    return str(base / f"{_PART}-{_machine()}")


def _of_user() -> epath.Path:
    home = epath.Path("~").expanduser()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "ls_tf"
    named = epath.Path(os.environ.get("XDG_CACHE_HOME", ""))
    # Relative ones are to be ignored, as the specification says.
    base = named if named.is_absolute() else home / ".cache"
    return base / "ls_tf"


def _machine() -> str:
    """A short name of the kind of processor."""
    about = platform.machine()
    try:
        lines = epath.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    for line in lines:
        name = line.partition(":")[0].strip()
        if name in ("model name", "flags", "Features"):
            about += line
        if not line and about != platform.machine():
            break  # the others are alike
    digest = hashlib.sha256(about.encode()).hexdigest()[:8]
    return f"{platform.machine()}-{digest}"


def use(chosen: str | None) -> str:
    """Tells JAX where to keep programs; before it compiles the first.

    Args:
        chosen: see ``folder``.

    Returns:
        str: a line that says why none are kept, though they were to be; "".

    Source: ours.
    """
    import jax

    _check_entries()
    _write_whole()
    where = folder(chosen)
    problem = _unwritable(where) if where is not None else ""
    update: Any = jax.config.update
    update("jax_compilation_cache_dir", None if problem else where)
    # A small program costs a tenth of a second too, and there are many.
    update("jax_persistent_cache_min_compile_time_secs", 0.0)
    update("jax_persistent_cache_min_entry_size_bytes", -1)
    # Of a GPU: which kernels were the quickest.
    update(
        "jax_persistent_cache_enable_xla_caches",
        "xla_gpu_per_fusion_autotune_cache_dir",
    )
    if not problem:
        return ""
    return (
        f"--compile_cache: nothing compiled is kept, {where} cannot be "
        f"written: {problem}"
    )


def _write_whole() -> None:
    """Lets JAX write an entry whole, and in the place of one that is damaged.

    JAX writes under the entry's own name, and never again where something has
    it: what a kill or a full disk has cut would be compiled at every start from
    then on. It also wants the folder to stay where it is. As with
    ``_check_entries`` there is no option for it.
    """
    entries: Any = sys.modules.get("jax._src.lru_cache")
    kind: Any = getattr(entries, "LRUCache", None)
    end = getattr(entries, "_CACHE_SUFFIX", None)
    if end is None or not hasattr(kind, "put"):
        return

    def put(cache: Any, key: str, value: bytes) -> None:
        where = epath.Path(cache.path)
        try:
            where.mkdir(parents=True, exist_ok=True)
            files.overwrite(where / f"{key}{end}", value)
        except OSError as error:
            _say_unkept(str(where), error.strerror or str(error))

    kind.put = put


@functools.cache
def _say_unkept(where: str, reason: str) -> None:
    """Says it once, and not of every program."""
    streams.say(
        f"--compile_cache: not all that is compiled is kept, {where} cannot be "
        f"written: {reason}"
    )


def _check_entries() -> None:
    """Lets JAX see that an entry is damaged, and compile it again.

    Where zstd is there JAX compresses with it and asks for no checksum: a bit
    that flips is then another program, or the end of the process. zlib has one.
    There is no option for it: the function is JAX's own, as in JAX 0.10, and
    nothing is changed where a version has none of that name.
    """
    jax_cache: Any = sys.modules.get("jax._src.compilation_cache")
    if not hasattr(jax_cache, "compress_executable"):
        return
    of_python: Any = getattr(jax_cache, "zstd", None)
    of_package: Any = getattr(jax_cache, "zstandard", None)

    def compressed(executable: bytes) -> bytes:
        if of_python:
            checked = {of_python.CompressionParameter.checksum_flag: True}
            return bytes(of_python.compress(executable, options=checked))
        compressor = of_package.ZstdCompressor(write_checksum=True)
        return bytes(compressor.compress(executable))

    if of_python or of_package:
        jax_cache.compress_executable = compressed


def traced() -> epath.Path | None:
    """Where traced programs are kept: beside the compiled ones, if these are.

    Source: ours.
    """
    import jax

    config: Any = jax.config
    where = config.jax_compilation_cache_dir
    if not where or not config.jax_enable_compilation_cache:
        return None
    return epath.Path(where) / _TRACED


def _unwritable(where: str) -> str:
    """Why a folder, which is made, cannot be written; empty if it can."""
    path = epath.Path(where)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return "" if local.may_write(path) else os.strerror(errno.EACCES)
