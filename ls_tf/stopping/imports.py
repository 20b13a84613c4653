"""Imports of libraries that take seconds, and can be broken off."""

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from ls_tf.stopping import handlers
from ls_tf.stopping.requests import StoppedError, doing, look


class _Finder:
    """Finds no module, but looks whenever one is imported."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> None:
        if threading.get_ident() == self._thread:
            look()


@contextlib.contextmanager
def importing(what: str) -> Iterator[None]:
    """Looks at each import within; for libraries that take seconds.

    A library that was broken off is not whole: the process has to end.

    Args:
        what: after "importing": "TensorFlow".

    Raises:
        StoppedError: the process was asked to stop.
    """
    finder: Any = _Finder()
    with doing(f"importing {what}"):
        sys.meta_path.insert(0, finder)
        try:
            yield
        except Exception as error:
            # Extension modules make an ImportError of what is raised.
            if _is_stop(error):
                raise StoppedError from error
            raise
        finally:
            sys.meta_path.remove(finder)
            handlers.set_again()
    look()  # some make nothing of it


def _is_stop(error: BaseException | None) -> bool:
    """Whether an error is, or was made of, a ``StoppedError``."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, StoppedError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
