"""Which form something is computed in: Keras's own, or one that is quicker.

Some of Keras's layers are one operation of a backend, with a gradient of its
own. On a GPU XLA expands a few of these to many passes over the activations,
and the same result written as plain arithmetic, with a gradient rule of its
own, is merged into few. A CPU keeps Keras's operations, so that the numbers of
its runs stay as they are to the bit, but for where another form is equal.
There TensorFlow without XLA runs a program operation by operation, each over
the whole of its tensors; what it would go over too often has another form.
"""

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

FORMS = ("keras", "fused")

# Of a thread: programs of both forms can be traced side by side.
_forced: ContextVar[str | None] = ContextVar("form", default=None)
_divided: ContextVar[Any] = ContextVar("devices", default=None)
_by_operation: ContextVar[bool] = ContextVar("by operation", default=False)


def fused(*, on: Collection[str] = ("gpu",), over_batch: bool = False) -> bool:
    """Whether a layer that is being traced takes its fused form.

    Ask while a layer is called, not when it is built: a layer has the same
    variables and configuration in both forms. TensorFlow has no fused forms.

    Args:
        on: the platforms of JAX on which it is the quicker one.
        over_batch: the layer adds up over the batch. Its fused form is then
            the quicker one also wherever the batch is divided among devices,
            which have to meet for each sum.
    """
    if keras.backend.backend() != "jax":
        return False
    forced = _forced.get()
    if forced is not None:
        return forced == "fused"
    import jax

    if over_batch and _divided.get() is not None:
        return True
    return jax.default_backend() in on


def on_cpu() -> bool:
    """Whether programs run on the processor, there being no accelerator."""
    names = keras.distribution.list_devices()
    return all(name.startswith("cpu:") for name in names)


def stored(x: Any) -> Any:
    """Has a program for processors keep a tensor, and its gradient, in memory.

    XLA makes one loop of a product's operand and all the sums and factors that
    lead to it, and computes a sum of several uses once more in each. Where the
    gradients of a residual network add up, each layer would so compute those
    of all that follow. ``training.jax_programs`` keeps what is asked for here.

    Args:
        x: any tensor.

    Returns:
        The same; on TensorFlow and on accelerators nothing is asked for.
    """
    if keras.backend.backend() != "jax" or not on_cpu():
        return x
    from jax import lax

    return lax.optimization_barrier(x)  # type: ignore[no-untyped-call]


def product(x: Any, kernel: Any) -> Any:
    """Multiplies the last axis of a tensor by a matrix.

    JAX is given all other axes as one. It asks for the gradient of the matrix
    transposed, and with more than one axis to sum over XLA has, on a
    processor, no quick product for that.

    Args:
        x: float [..., D].
        kernel: [D, E], of the same type.

    Returns:
        Float [..., E].
    """
    shape = x.shape
    if keras.backend.backend() != "jax" or len(shape) < 3:
        return ops.matmul(x, kernel)
    rows = ops.matmul(ops.reshape(x, (-1, shape[-1])), kernel)
    return ops.reshape(rows, (*shape[:-1], kernel.shape[-1]))


@functools.cache
def merged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Has XLA compile a part of a program of TensorFlow that is run without it.

    Args:
        function: of plain arithmetic, kept for good. It is compiled for each
            shape of its arguments, and for each value of one that is a length.

    Returns:
        The same function, of TensorFlow's tensors.
    """
    import tensorflow as tf

    compiled: Callable[..., Any] = tf.function(
        function, jit_compile=True, autograph=False
    )
    return compiled


def pick(values: Any, ids: Any) -> Any:
    """Takes one value of each row.

    Args:
        values: float or bool [..., K].
        ids: int32 [...], from 0 to K - 1; those from -K on count from the end.

    Returns:
        Of the values' type [...].
    """
    rank = len(ids.shape)
    if not rank or not by_operation():
        index = ops.expand_dims(ids, axis=-1)
        return ops.squeeze(ops.take_along_axis(values, index, axis=-1), axis=-1)
    import tensorflow as tf

    # The gradient of Keras's look-up adds up as many segments as there are
    # values; this one's writes one value of each row.
    ids = ops.where(ids < 0, ids + ops.shape(values)[-1], ids)
    index = ops.expand_dims(ids, axis=-1)
    return tf.gather_nd(values, index, batch_dims=rank)


def argmax(values: Any) -> Any:
    """Tells where each row has its highest value.

    Args:
        values: float [..., K].

    Returns:
        int32 [...]; the first of equals, where -0 is less than 0.
    """
    if not by_operation():
        return ops.cast(ops.argmax(values, axis=-1), "int32")
    import tensorflow as tf

    # Keras looks for -0 in passes over all values; 0 is seldom the highest.
    best = tf.argmax(values, axis=-1, output_type="int32")
    return ops.cond(
        ops.any(ops.equal(pick(values, best), 0)),
        lambda: ops.cast(ops.argmax(values, axis=-1), "int32"),
        lambda: best,
    )


def by_operation() -> bool:
    """Whether the program that is being traced is run operation by operation.

    So TensorFlow does without XLA. An accelerator's programs are none of these
    here: their operations wait for little, and a compiled one for the host.
    """
    return _by_operation.get() and on_cpu()


@contextlib.contextmanager
def tracing(*, by_operation: bool) -> Iterator[None]:
    """Traces a program of TensorFlow.

    Args:
        by_operation: whether it is run without XLA.
    """
    before = _by_operation.set(by_operation)
    try:
        yield
    finally:
        _by_operation.reset(before)


def devices() -> Any:
    """The devices of the batch of the program that is being traced.

    Returns:
        JAX's mesh and the name of its axis; None where the batch is whole.
    """
    return _divided.get()


@contextlib.contextmanager
def dividing(devices: Any) -> Iterator[None]:
    """Traces a training program whose batch is divided among devices.

    Args:
        devices: as ``devices()`` gives them.
    """
    before = _divided.set(devices)
    try:
        yield
    finally:
        _divided.reset(before)


@contextlib.contextmanager
def using(form: str) -> Iterator[None]:
    """Traces layers in one form, whatever the device.

    For tests and benchmarks, which compare the forms. What is compiled already
    stays as it is, so that each form needs its own compiled function.

    Args:
        form: one of ``FORMS``.

    Raises:
        ValueError: it is none.
    """
    if form not in FORMS:
        raise ValueError(f"wanted a form of {', '.join(FORMS)}, got {form!r}")
    before = _forced.set(form)
    try:
        yield
    finally:
        _forced.reset(before)
