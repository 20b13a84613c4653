"""Errors of accelerators, as the libraries raise them, end in one line."""

import jax
import pytest
import tensorflow as tf

from ls_tf import cli
from ls_tf.spec import SpecError
from ls_tf.training import jax_devices

OOM = (
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17179869184 "
    "bytes.\nBufferAssignment OOM Debugging."
)
# As users of JAX and TensorFlow have reported them.
MEMORY = [
    jax.errors.JaxRuntimeError(OOM),
    jax.errors.JaxRuntimeError(
        "INTERNAL: CUDA error: Failed call to cuMemAlloc: "
        "CUDA_ERROR_OUT_OF_MEMORY: out of memory"
    ),
    tf.errors.ResourceExhaustedError(
        None,
        None,
        "OOM when allocating tensor with shape[4096,4096]\n[[{{n}}]]",
    ),
]
NO_HANDLE = [
    jax.errors.JaxRuntimeError(
        "INTERNAL: failed to create cublas handle: "
        "CUBLAS_STATUS_NOT_INITIALIZED"
    ),
    jax.errors.JaxRuntimeError("INTERNAL: Failed to initialize BLASLT support"),
    jax.errors.JaxRuntimeError(
        "FAILED_PRECONDITION: DNN library initialization failed. Look at the "
        "errors above for more details."
    ),
    tf.errors.InternalError(
        None,
        None,
        "Attempting to perform BLAS operation using StreamExecutor without "
        "BLAS support [Op:MatMul]",
    ),
    tf.errors.UnimplementedError(None, None, "DNN library is not found."),
    tf.errors.NotFoundError(None, None, "No algorithm worked!  Error messages"),
]
TOO_OLD = [
    jax.errors.JaxRuntimeError(
        "INTERNAL: no supported devices found for platform CUDA"
    ),
    jax.errors.JaxRuntimeError(
        "INTERNAL: Failed to execute XLA Runtime executable: operation "
        "gpuGetLastError() failed: no kernel image is available for execution "
        "on the device"
    ),
    tf.errors.InternalError(
        None,
        None,
        "'cuModuleLoadData(&module, data)' failed with "
        "'CUDA_ERROR_NO_BINARY_FOR_GPU'",
    ),
]


@pytest.fixture
def ended(monkeypatch, capsys):
    """The exit code and the one line of a run that raises an error."""

    def run(error):
        def start(argv):
            raise error

        monkeypatch.setattr(cli, "_start", start)
        code = cli.main(["x"])
        (line,) = capsys.readouterr().err.splitlines()
        return code, line

    return run


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (MEMORY, ("not enough memory (", "more --micro_batches")),
        (NO_HANDLE, ("PREALLOCATE=false", "--micro_batches", "nvidia-smi")),
        (TOO_OLD, ("for a GPU of this kind", "JAX_PLATFORMS=cpu")),
    ],
    ids=["memory", "handle", "old"],
)
def test_what_a_device_refuses_is_one_line(ended, errors, words):
    for error in errors:
        code, line = ended(error)
        assert code == 2, line
        assert all(word in line for word in words), line
        assert type(error).__name__ in line
        assert line.endswith("the last checkpoint is intact")


@pytest.mark.parametrize(
    "error",
    [
        jax.errors.JaxRuntimeError("INTERNAL: a bug of ours"),
        tf.errors.InvalidArgumentError(None, None, "no algorithm"),
        RuntimeError("no kernel image is available"),
    ],
)
def test_a_bug_is_none_of_them(ended, error):
    with pytest.raises(type(error)):
        ended(error)


@pytest.mark.parametrize(
    ("said", "todo"),
    [
        (
            "Unable to initialize backend 'cuda': INTERNAL: no supported "
            "devices found for platform CUDA (set JAX_PLATFORMS='' to "
            "automatically choose an available backend)",
            "libraries have no programs for a GPU of this kind",
        ),
        (
            "Unable to initialize backend 'tpu': INTERNAL: Failed to open "
            "libtpu.so",
            r"name one that is there, such as cpu, or none; GPUs want pip",
        ),
    ],
)
def test_a_platform_that_cannot_begin(monkeypatch, said, todo):
    def fail():
        raise RuntimeError(said)

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr(jax, "local_devices", fail)
    with pytest.raises(SpecError, match=todo) as refused:
        jax_devices.make("default")
    line = str(refused.value)
    assert line.startswith("--engine=jax found no device (JAX_PLATFORMS=cuda):")
    assert "\n" not in line
