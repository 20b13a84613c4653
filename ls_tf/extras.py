"""The libraries of the extras: which one installs what is not there.

``pip install ls_tf`` is light. ``setup.py`` says what its extras install; here
stands which of them has a library that an import did not find.
"""

import contextlib
import importlib.util
from collections.abc import Iterator

# What is imported -> the extras that install it; "" is the light install.
EXTRAS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("tensorflow", "tensorflow_datasets"), ("tensorflow",)),
    "jax": ("jax",),
    **dict.fromkeys(
        ("keras", "tensorboard", "safetensors", "h5py", "tqdm"),
        ("tensorflow", "jax"),
    ),
    "sklearn": ("sklearn",),
    "pandas": ("pandas",),
    **dict.fromkeys(("sacrebleu", "sentencepiece"), ("text",)),
    **dict.fromkeys(
        ("array_record", "grain", "cv2", "simplejpeg", "PIL"),
        ("photographs",),
    ),
    "datasets": ("hf",),
    "submitit": ("slurm",),
    "ray": ("ray",),
    **dict.fromkeys(
        ("absl", "etils", "jinja2", "markupsafe", "matplotlib"), ("",)
    ),
}


class MissingError(ImportError):
    """A library is not installed; the message is one line."""


def install(*extras: str) -> str:
    """The command that installs an extra.

    Args:
        *extras: any of them will do; "" is the install without one.

    Returns:
        str: such as ``pip install "ls_tf[jax]"``.

    Source: ours.
    """
    names = [f'"ls_tf[{extra}]"' if extra else "ls_tf" for extra in extras]
    return f"pip install {' or '.join(names)}"


def is_there(library: str) -> bool:
    """Whether a library is installed; it is not imported for that."""
    return importlib.util.find_spec(library) is not None


def wanted(by: str, library: str, *extras: str) -> str:
    """Says in one line what is missing and what installs it.

    Args:
        by: what cannot be done without.
        library: as it is imported; one of ``EXTRAS``.
        *extras: those to be named; default: those that install it.

    Source: ours.
    """
    return (
        f"{by} wants the package {library}, which is not installed; install "
        f"it with: {install(*extras or EXTRAS[library])}"
    )


def missing(error: BaseException) -> str | None:
    """The library that an import did not find, if an extra installs it.

    Args:
        error: any.

    Returns:
        str: its name; None for another error, also of a library that is there
        and lacks a part of its own.

    Source: ours.
    """
    if not isinstance(error, ModuleNotFoundError):
        return None
    library = (error.name or "").partition(".")[0]
    return library if library in EXTRAS and not is_there(library) else None


@contextlib.contextmanager
def needed(by: str) -> Iterator[None]:
    """Says of an import within which extra is missing.

    Args:
        by: what is asked for, as a user writes it.

    Raises:
        MissingError: a library of an extra is not installed.

    Source: ours.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = missing(error)
        if library is None:
            raise
        raise MissingError(wanted(by, library), name=library) from None
