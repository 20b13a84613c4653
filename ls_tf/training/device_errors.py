"""What an accelerator refuses, in one line that says what to do.

JAX and XLA have one class for all that goes wrong on a device, and TensorFlow
classes by kinds of cause, so that the words of a message tell what it is. The
module needs neither library: whose error it is, the names of its classes say.
"""

from ls_tf.records.reading import line

# Of JAX, of its releases before, and the base of all of TensorFlow's.
_OF_A_DEVICE = ("JaxRuntimeError", "XlaRuntimeError", "OpError")

_INTACT = "the last checkpoint is intact"
_MEMORY = ("RESOURCE_EXHAUSTED", "CUDA_ERROR_OUT_OF_MEMORY")
# Words of messages, in small letters, and what they come from.
_NO_HANDLE = (
    "cublas_status_not_initialized",
    "cublas_status_alloc_failed",
    "cudnn_status_not_initialized",
    "cudnn_status_alloc_failed",
    "failed to create cublas handle",
    "could not create cudnn handle",
    "failed to initialize blaslt",
    "without blas support",
    "dnn library initialization failed",
    "dnn library is not found",
    "no algorithm worked",
)
_TOO_OLD = (
    "no supported devices found for platform",
    "no kernel image is available",
    "cuda_error_no_binary_for_gpu",
    "cuda_error_unsupported_ptx_version",
    "cuda_error_invalid_ptx",
    "device kernel image is invalid",
)


def advice(error: BaseException) -> str | None:
    """Says what to do about an error of a device, in one line.

    Args:
        error: of NumPy, TensorFlow, JAX or XLA.

    Returns:
        str: what it is, the library's words and what to do; None if it is
        none that a person could do something about.

    Source: ours.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = str(error)
    is_of_a_device = bool(kinds & {*_OF_A_DEVICE})
    if (
        isinstance(error, MemoryError)
        or "ResourceExhaustedError" in kinds
        or (is_of_a_device and any(words in said for words in _MEMORY))
    ):
        return (
            f"not enough memory ({line(error)}); smaller layers or batches, or "
            f"more --micro_batches, take less; {_INTACT}"
        )
    if not is_of_a_device:
        return None
    words = reason(said)
    return None if words is None else f"{words} ({line(error)}); {_INTACT}"


def reason(said: str) -> str | None:
    """Why a GPU cannot be used, and what to do, by a library's message."""
    said = said.lower()
    if any(words in said for words in _TOO_OLD):
        return (
            "the installed libraries have no programs for a GPU of this kind, "
            "or for its driver: another release of them may, and "
            "CUDA_VISIBLE_DEVICES= with --engine=tensorflow, or "
            "JAX_PLATFORMS=cpu with --engine=jax, trains on the CPU"
        )
    if any(words in said for words in _NO_HANDLE):
        return (
            "the GPU's libraries cannot begin: mostly because another program "
            "has its memory, which nvidia-smi shows; wait for it, start it "
            "with XLA_PYTHON_CLIENT_PREALLOCATE=false, or take less with more "
            "--micro_batches"
        )
    return None
