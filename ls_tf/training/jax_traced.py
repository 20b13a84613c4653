"""What JAX has traced, kept on a disk from one process to the next.

Python and Keras take a second to trace a step of a Transformer, for each of its
shapes, and all of it again in a process that finds the compiled programs on
the disk. So the traced ones are kept beside those, as StableHLO, which JAX
writes and reads.

What a program is kept under is a digest of all that its text depends on: what
whoever asks says of the run, its code and its data, and what is seen here of
JAX, Keras, the devices and the arguments. Where any of it differs the step is
traced. A process that traces a step goes on with what it has written, so that
the first and a later one compile one text.
"""

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import keras
from etils import epath
from jax import export

from ls_tf import kernels
from ls_tf.records import files

# What JAX, XLA and Keras are told by the environment.
_TOLD = ("JAX_", "XLA_", "LIBTPU_", "KERAS_", "TPU_", "NVIDIA_TF32")
# JAX writes and reads programs with a library that it does not ask for.
_CAN_WRITE = importlib.util.find_spec("flatbuffers") is not None
# A kernel of a vendor is the same one as long as the versions are.
_ANY_KERNEL = export.DisabledSafetyCheck.custom_call("ALL")


class Traced:
    """The traced programs of one run."""

    def __init__(
        self, folder: epath.Path, about: Callable[[], Mapping[str, Any] | None]
    ) -> None:
        """Takes where programs are kept, and for whom.

        Args:
            folder: of the programs of all runs.
            about: all that shapes the run's programs, but for what they are
                called with; as JSON. Asked once, when one is wanted. None
                where that cannot be said: none is kept then.
        """
        self._folder = folder
        self._run = functools.cache(about)

    def traced(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Callable[..., Any]:
        """Gives a function that is traced already, or traces and keeps it.

        Args:
            function: pure, of arrays; a named one of the run.
            arguments: what it is called with: arrays on their devices, and
                numbers.
            options: those of ``jax.jit`` that it is compiled with.

        Returns:
            Of the same arguments, and with the same name; the function itself
            where JAX can keep no program of it.
        """
        name = self.name(function, arguments, options)
        if name is None:
            return function
        content = self._read(name)
        if content is None:
            jitted = jax.jit(
                function,
                keep_unused=True,
                out_shardings=options.get("out_shardings"),
            )
            try:
                made = export.export(jitted, disabled_checks=[_ANY_KERNEL])
                content = bytes(made(*arguments).serialize())
            except (ValueError, NotImplementedError):
                return function
            self._write(name, content)
        program: Any = export.deserialize(bytearray(content))

        def known(*arguments: Any) -> Any:
            return program.call(*arguments)

        known.__name__ = function.__name__
        return known

    def name(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> str | None:
        """The digest that a program is kept under, or None; see ``traced``."""
        run = self._run() if _CAN_WRITE else None
        if run is None:
            return None
        about = {
            "run": dict(run),
            "function": function.__qualname__,
            "options": {k: str(v) for k, v in options.items()},
            "arguments": [_of_argument(v) for v in jax.tree.leaves(arguments)],
            "tree": str(jax.tree.structure(arguments)),
            "forms": [
                kernels.fused(),
                kernels.fused(over_batch=True),
                str(kernels.devices()),
            ],
            "devices": [_of_device(device) for device in jax.devices()],
            **_settings(),
        }
        text = json.dumps(about, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _read(self, name: str) -> bytes | None:
        """What is kept under a name; None where that is nothing, or damaged."""
        try:
            digest = (self._folder / f"{name}.name").read_text().strip()
            content: bytes = (self._folder / f"{digest}.stablehlo").read_bytes()
        except (OSError, ValueError):
            return None
        is_whole = hashlib.sha256(content).hexdigest() == digest
        return content if is_whole else None

    def _write(self, name: str, content: bytes) -> None:
        """Keeps a program, which many names may have."""
        digest = hashlib.sha256(content).hexdigest()
        whole = {
            f"{digest}.stablehlo": content,
            f"{name}.name": digest.encode(),
        }
        # Where it cannot be kept it is traced again.
        with contextlib.suppress(OSError):
            files.write_files(self._folder, whole)


def _of_argument(value: Any) -> list[str]:
    """What a program knows of an argument: all but its values."""
    kind = jax.typeof(value)
    place = str(value.sharding) if isinstance(value, jax.Array) else "host"
    return [str(kind), str(getattr(kind, "weak_type", None)), place]


def _of_device(device: Any) -> list[str]:
    client = device.client
    return [
        device.platform,
        device.device_kind,
        str(device.process_index),
        client.platform_version,
    ]


def _settings() -> dict[str, Any]:
    """What JAX and Keras are told."""
    config: Any = jax.config
    return {
        "backend": jax.default_backend(),
        "jax": {
            # What holds for this thread alone is no value of `values`.
            name: str(getattr(config, name, value))
            for name, value in config.values.items()
            # Where programs are kept is not what they are.
            if "cache" not in name
        },
        "keras": [
            keras.backend.backend(),
            keras.config.floatx(),
            keras.config.epsilon(),
            keras.config.image_data_format(),
            keras.config.dtype_policy().name,
        ],
        "environment": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(_TOLD) and "CACHE" not in name
        },
    }
