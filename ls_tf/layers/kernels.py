"""Which form a layer is computed in: Keras's own, or one fused by XLA.

Some of Keras's layers are one operation of a backend, with a gradient of its
own. On a GPU XLA expands a few of these to many passes over the activations,
and the same result written as plain arithmetic, with a gradient rule of its
own, is merged into few. On a CPU the operations are the quicker ones.
"""

import contextlib
from collections.abc import Iterator

import keras

FORMS = ("keras", "fused")

_forced: str | None = None


def fused() -> bool:
    """Whether a layer that is being traced takes its fused form.

    By default that is on JAX with a GPU. Ask while a layer is called, not when
    it is built: a layer has the same variables and configuration in both forms.
    TensorFlow has no fused forms.
    """
    if keras.backend.backend() != "jax":
        return False
    if _forced is not None:
        return _forced == "fused"
    import jax

    return jax.default_backend() == "gpu"


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
    global _forced
    if form not in FORMS:
        raise ValueError(f"wanted a form of {', '.join(FORMS)}, got {form!r}")
    before, _forced = _forced, form
    try:
        yield
    finally:
        _forced = before
