"""What libraries take from a user's environment, and whether they may.

A run's numbers follow from its specification. TensorFlow, XLA, JAX, Keras and
the libraries below them read some three hundred environment variables, many
of which change numbers: their type, the kernels, what is compiled. So of the
variables with a library's prefix only those are left alone that are known to
change no number; the others are taken away before the library is loaded, and
a line says so. What changes only the order of a sum, as the number of threads
does, is the machine's owner's to choose, and is recorded.

Keras's own file of settings is not read, see ``session``; the options of JAX
are set in ``training.jax_devices``.
"""

import os
import re
import shlex
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass

from ls_tf.spec import SpecError

# Whose variables are looked at: prefix -> the module that reads them.
_LIBRARIES = {
    "TF_": "tensorflow",
    "TF2_": "tensorflow",
    "XLA_": "XLA",
    "JAX_": "jax",
    "KERAS_": "keras",
    "NVIDIA_TF32_": "tensorflow",
    "CUBLAS_": "tensorflow",
    "CUDNN_": "tensorflow",
    "ONEDNN_": "tensorflow",
    "DNNL_": "tensorflow",
}
# XLA is part of either engine, and reads its flags when it first compiles.
_READERS = {
    "XLA": ("tensorflow", "jaxlib"),
    "tensorflow": ("tensorflow",),
    "jax": ("jax",),
    "keras": (),  # ``session`` sets all that Keras keeps
}


@dataclass(frozen=True)
class _Rule:
    """What some variables do; ``pattern`` is that of the whole name."""

    pattern: str
    reason: str

    def fits(self, name: str) -> bool:
        return re.fullmatch(self.pattern, name) is not None


# No number depends on these.
_HARMLESS = (
    _Rule(
        r"TF_CPP_\w+|TF_\w*(LOG|DUMP|VERBOS|DEBUG_(OPS|LOG))\w*|"
        r"JAX_\w*(LOG|TRACEBACK|EXPLAIN|DUMP)\w*|\w+_(VERBOSE|LOG\w*|VERSION)",
        "what is printed or kept for inspection, or a container's label",
    ),
    _Rule(
        r"TF_CONFIG|TF_JOB_NAME|TF_GRPC_\w+|TF_WORKER_\w+|TF_CLUSTER_\w+|"
        r"JAX_(COORDINATOR_\w+|COORDINATION_\w+|NUM_PROCESSES|PROCESS_ID|"
        r"LOCAL_DEVICE_IDS|PLATFORMS?|PLATFORM_NAME|CPU_COLLECTIVES_\w+)",
        "which processes and devices there are; the record names them",
    ),
    _Rule(
        r"TF_FORCE_GPU_ALLOW_GROWTH|TF_FORCE_UNIFIED_MEMORY|TF_GPU_ALLOCATOR|"
        r"TF_GPU_THREAD_\w+|TF_PER_DEVICE_MEMORY_LIMIT_MB|TF_CPU_\w*BFC\w*|"
        r"TF_GPU_HOST_MEM_LIMIT_IN_MB|TF_DEVICE_MIN_SYS_MEMORY_IN_MB|"
        r"TF_CUDA_MALLOC_ASYNC\w*|TF_ENABLE_GPU_GARBAGE_COLLECTION|"
        r"XLA_PYTHON_CLIENT_\w+|XLA_CLIENT_MEM_FRACTION",
        "where memory comes from",
    ),
    _Rule(
        r"JAX_(COMPILATION_CACHE|PERSISTENT_CACHE)_\w+|TF_JIT_CACHE_DIR|"
        r"JAX_(ENABLE_COMPILATION_CACHE|RAISE_PERSISTENT_CACHE_ERRORS)",
        "whether a program is compiled or was kept from before",
    ),
    _Rule(
        r"TF2_BEHAVIOR|TF_USE_MODULAR_FILESYSTEM|TF_USE_LEGACY_KERAS",
        "set by TensorFlow itself, its files, and tf.keras, which is not used",
    ),
    _Rule(
        r"TF_(CLI|VAR|REGISTRY|PLUGIN|CONFIG_FILE|IN_AUTOMATION|WORKSPACE|"
        r"INPUT|DATA_DIR)(_\w+)?",
        "those of Terraform, whose prefix is the same",
    ),
    _Rule(
        r"KERAS_(BACKEND|HOME)",
        "set by --engine; a folder that is not read",
    ),
)
# Why the others are taken away, where it is known. The losses are those of four
# steps of alexnet_cifar10_24_short on two cores.
_IGNORED = (
    _Rule(
        r"TF_(ENABLE_ONEDNN|ONEDNN|ENABLE_ZENDNN|MKL)_\w+|(ONEDNN|DNNL)_\w+",
        "it chooses kernels, which round differently (a loss of 6.9016297 "
        "for 6.9016306)",
    ),
    _Rule(
        r"TF_SET_ONEDNN_FPMATH_MODE|TF_\w*FP16\w*|TF_AUTO_MIXED_\w+|"
        r"NVIDIA_TF32_OVERRIDE|JAX_DEFAULT_MATMUL_PRECISION",
        "train.precision says how products are rounded",
    ),
    _Rule("XLA_FLAGS", "the flags of XLA change what it compiles"),
    _Rule(
        r"TF_XLA_\w+|TF_FUNCTION_JIT_\w+|TF_JIT_\w+|JAX_DISABLE_JIT|"
        r"TF_DISABLE_JIT_KERNELS|JAX_DISABLE_MOST_OPTIMIZATIONS",
        "train.xla says what is compiled",
    ),
    _Rule(
        r"TF_\w*DETERMINIS\w+|CUBLAS_WORKSPACE_CONFIG",
        "--deterministic chooses deterministic operations",
    ),
    _Rule(
        r"TF_\w*(CUDNN|CUBLAS|CONV|WINOGRAD|AUTOTUNE|FFT|MAXPOOL)\w*|"
        r"(CUBLAS|CUDNN)_\w+",
        "it chooses kernels, which round differently",
    ),
    _Rule(
        r"JAX_(ENABLE_X64|NUMPY_\w+|EXPLICIT_X64_\w+|ALLOW_F16_\w+)",
        "it changes the types of numbers",
    ),
    _Rule(
        r"JAX_(RANDOM_\w+|DEFAULT_PRNG_IMPL|THREEFRY_\w+|\w+_PRNG\w*)",
        "it changes random numbers",
    ),
    _Rule(
        r"JAX_(DEBUG|CHECK|TRANSFER_GUARD|ENABLE_CHECKS|NO)_?\w*",
        "it stops or changes programs for the sake of debugging",
    ),
)
_UNKNOWN = "it is not known to leave the numbers alone"

# What may move the last bits, and is the machine's owner's choice.
_RECORDED = (
    _Rule(
        r"TF_NUM_INT(ER|RA)OP_THREADS|(OMP|OPENBLAS|GOTO|MKL|BLIS|VECLIB_MAXIMUM"
        r"|NUMEXPR)_NUM_THREADS|OMP_(DYNAMIC|THREAD_LIMIT)|TF_OVERRIDE_GLOBAL_THREADPOOL",
        "threads part a sum (a loss of 2.29834664 for 2.29834658)",
    ),
    _Rule(
        r"OPENBLAS_(CORETYPE|ARCHITECTURE)|MKL_(CBWR|ENABLE_INSTRUCTIONS|"
        r"DYNAMIC|DEBUG_CPU_TYPE)|NPY_(DISABLE|ENABLE)_CPU_FEATURES|"
        r"GLIBC_TUNABLES|SCIPY_ARRAY_API|LIBTPU_INIT_ARGS",
        "read before this program begins, or of one kind of machine",
    ),
)

# The flags of XLA that change no number, with values that it takes: at another
# name or value it ends the process without a word that could be seen.
_XLA_FLAGS = re.compile(
    r"--xla_(dump_(to|hlo_(pass|module)_re)=.*|gpu_cuda_data_dir=.*|"
    r"(dump_hlo_(as_(text|long_text|proto|dot|html)|snapshots)|"
    r"dump_(include_timestamp|disable_metadata|compress_protos)|hlo_profile|"
    r"gpu_deterministic_ops)(=(true|false|1|0))?|"
    r"(force_host_platform_device_count|gpu_force_compilation_parallelism|"
    r"dump_max_hlo_modules)=\d{1,4})",
    re.DOTALL | re.ASCII,
)


def settle(environment: MutableMapping[str, str] | None = None) -> list[str]:
    """Takes away what would change the numbers of a run.

    To be called before an engine is loaded; later it changes nothing.

    Args:
        environment: default: the process's own.

    Returns:
        list: a line for each variable, or part of one, that was taken away.

    Raises:
        SpecError: the library has been loaded, and may have read a variable
            that is known to change numbers.

    Source: ours.
    """
    environment = os.environ if environment is None else environment
    lines = []
    for name in sorted(environment):
        owner = _owner(name)
        if owner is None or any(r.fits(name) for r in _HARMLESS + _RECORDED):
            continue
        kept, ignored = _parted(name, environment[name])
        if not ignored:
            continue
        reason = next((r.reason for r in _IGNORED if r.fits(name)), None)
        loaded = [m for m in _READERS[owner] if m in sys.modules]
        if loaded and reason is not None:
            raise SpecError(
                f"{name}={_short(ignored)}: {reason}, and {loaded[0]} was "
                "loaded with it; wanted it unset"
            )
        if kept:
            environment[name] = kept
        else:
            del environment[name]
        lines.append(
            f"{name}={_short(ignored)} is ignored: {reason or _UNKNOWN}"
        )
    return lines


def share_devices(environment: MutableMapping[str, str] | None = None) -> None:
    """Lets other programs use a GPU too: memory is taken as it is needed.

    JAX and TensorFlow would else take most or all of it at once. What the user
    has set stays. To be called before an engine is loaded.

    Args:
        environment: default: the process's own.
    """
    environment = os.environ if environment is None else environment
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def recorded() -> dict[str, str | int]:
    """What is left to the machine's owner and may move the last bits.

    Returns:
        dict: ``cpus``, the processors that this process may use, and the
        variables that are set.

    Source: ours.
    """
    cpus = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    found = {
        name: value
        for name, value in sorted(os.environ.items())
        if name == "XLA_FLAGS" or any(rule.fits(name) for rule in _RECORDED)
    }
    return {"cpus": cpus, **found}


def _owner(name: str) -> str | None:
    for prefix, library in _LIBRARIES.items():
        if name.startswith(prefix):
            return library
    return None


def _parted(name: str, value: str) -> tuple[str, str]:
    """What of a variable may stay, and what may not."""
    if name != "XLA_FLAGS":
        return "", value or "''"
    try:
        flags = shlex.split(value)
    except ValueError:
        return "", value
    # Without a dash it would be the name of a file of flags.
    if flags and not flags[0].startswith("-"):
        return "", value
    kept = [flag for flag in flags if _XLA_FLAGS.fullmatch(flag)]
    return shlex.join(kept), shlex.join(f for f in flags if f not in kept)


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
