"""The machine of a process: its engine, its devices, what the record says.

Importing this is cheap; a ``Session`` costs seconds, for it starts the engine.
"""

import contextlib
import functools
import gc
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ls_tf import extras, stopping, streams
from ls_tf.records import reading
from ls_tf.running import (
    agreement,
    peers,
    places,
    provenance,
    surroundings,
    traceable,
)
from ls_tf.running.machine import Machine as Machine
from ls_tf.spec import ExperimentSpec, SpecError, nearest
from ls_tf.spec.resolve import RunIdentity
from ls_tf.training import strategy

if TYPE_CHECKING:
    from ls_tf.training.engine import Engine, Transform

ENGINES = ("tensorflow", "jax")
# What Keras imports where it is installed, and does without where it is not.
_OPTIONAL = ("IPython", "matplotlib", "pandas", "sklearn")
# The same; TensorFlow cannot do without all of these.
_OPTIONAL_ON_JAX = ("PIL", "cv2", "h5py", "psutil", "requests")
_SPLASH = "jax.experimental.pallas.ops.tpu.splash_attention"
# What Keras imports for its own attention on a TPU.
_SELDOM = (
    _SPLASH,
    f"{_SPLASH}.splash_attention_kernel",
    f"{_SPLASH}.splash_attention_mask",
)
# What a run imports beside its engine, and would miss hours later.
_BESIDE = ("keras", "tensorboard", "safetensors", "h5py", "tqdm")


def check(machine: Machine) -> places.Place:
    """Refuses an engine or strategy that cannot be used, without loading it.

    Returns:
        This process's place among those of its run.

    Raises:
        SpecError: one line.
    """
    engine = machine.engine
    if engine not in ENGINES:
        raise SpecError(f"no engine '{engine}'; {nearest(engine, ENGINES)}")
    strategy.check(machine.strategy)
    if machine.tpu is not None and (engine, machine.strategy) != (
        "tensorflow",
        "tpu",
    ):
        raise SpecError(
            "--tpu goes with --strategy=tpu and --engine=tensorflow; JAX takes "
            "the TPU of its host"
        )
    if machine.compile_cache is not None:
        if engine != "jax":
            raise SpecError("--compile_cache goes with --engine=jax only")
        if not machine.compile_cache:
            raise SpecError("--compile_cache: wanted a folder, or off, got ''")
    for library in (engine, *_BESIDE):
        if not extras.is_there(library):
            others = {
                "tensorflow": "; there is --engine=jax too",
                "jax": " (or jax-cuda, jax-tpu)",
            }
            said = extras.wanted(f"--engine={engine}", library, engine)
            raise SpecError(f"{said}{others[engine]}")
    return places.of(machine)


@contextlib.contextmanager
def _loading(engine: str) -> Iterator[None]:
    """Says in one line that an engine cannot be loaded.

    JAX refuses some variables of the environment, and either engine libraries
    of versions that do not fit.

    Raises:
        SpecError: one line.
    """
    try:
        yield
    except (ImportError, RuntimeError, ValueError) as error:
        raise SpecError(
            f"--engine={engine} cannot be loaded: {reading.line(error)}"
        ) from None


def loading(engine: str) -> str:
    """What a process says before it loads its engine."""
    return f"loading {engine}"


class Session:
    """The process's engine and devices, however many runs."""

    def __init__(
        self,
        machine: Machine,
        about: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        """Starts the engine; costs seconds, so only when a run needs it.

        Args:
            machine: where and how to run.
            about: says what is run first, see ``agreement``: several processes
                compare it before they start their engine.

        Raises:
            SpecError: the machine cannot be had, or the processes do not do
                the same; one line.
            PeerError: another process did not come, or was refused.
        """
        self.machine = machine
        self._slowest_start = 0.0  # seconds of a run to its first steps
        # The code as it is now; what is edited later does not run here.
        provenance.sources()
        provenance.git()
        for line in surroundings.settle():
            streams.say(line)
        self.place = check(machine)
        refuse_other_backend(machine.engine)
        if self.place.index == 0:
            # The first words: libraries take seconds from here on.
            streams.say(loading(machine.engine))
        self.worker = (self.place.index, self.place.count)
        self.peers = peers.meet(self.place, machine.worker_timeout)
        if about is not None:
            agreement.compare(self.peers, about)
        # Read when TensorFlow is loaded. Of a lost peer it would write lines
        # before we can say one.
        level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if level == "2" and self.place.count > 1:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        surroundings.share_devices()
        # It loads the engine, which takes most of the time.
        with streams.quiet(), stopping.importing("Keras"):
            # A process of the command line is nobody else's.
            start_keras(machine.engine, bare=bool(machine.command))
        if machine.engine == "jax":
            self._start_jax()
        else:
            self._start_tensorflow()

    def started(self, began: float, reached: float | None) -> None:
        """Takes how long a run was without a state that could be saved.

        Args:
            began: when it began, by ``time.monotonic``.
            reached: when its first steps were done; None if there were none.
        """
        if reached is not None:
            self._slowest_start = max(self._slowest_start, reached - began)

    def refuse_to_start(self) -> None:
        """Begins no run that would be without a state at the time limit.

        Raises:
            StoppedError: the runs before took longer to their first steps.
        """
        if self._slowest_start:
            stopping.refuse(
                self._slowest_start, "a run takes {} to its first steps"
            )

    def _start_tensorflow(self) -> None:
        machine = self.machine
        with streams.quiet(), stopping.importing("TensorFlow"):
            self.strategy = strategy.make(
                machine.strategy,
                logical_devices=machine.logical_devices,
                tpu=machine.tpu,
            )
        import tensorflow as tf

        # Of several workers' exchange between two calls it would warn often.
        tf.get_logger().setLevel("ERROR")
        if machine.deterministic:
            tf.config.experimental.enable_op_determinism()

    def _start_jax(self) -> None:
        with stopping.importing("JAX"):
            from ls_tf.training import compile_cache, jax_devices

        if problem := compile_cache.use(self.machine.compile_cache):
            streams.say(problem)
        place = self.place
        self.peers.ends_at_once = place.count > 1
        # Gloo greets its peers on standard output.
        with (
            streams.quiet(*([1] if place.count > 1 else [])),
            stopping.importing("JAX"),
            self.peers.watched(lambda reason: None),
        ):
            self.jax_devices = jax_devices.make(
                self.machine.strategy,
                logical_devices=self.machine.logical_devices,
                deterministic=self.machine.deterministic,
                process=(place.index, place.count),
                coordinator=place.addresses[0],
                by_cluster=place.by_cluster,
            )

    def engine(
        self,
        spec: ExperimentSpec,
        transform: "Transform",
        identity: RunIdentity | None = None,
    ) -> "Engine":
        """Makes an engine for a run or for a stack of runs.

        Args:
            spec: of the run, or of any run of the stack.
            transform: what happens to the mean gradient.
            identity: of the run, where the engine trains that run alone and
                nothing else: what JAX traces is kept under its name.

        Returns:
            Engine, not built.
        """
        parts = self.machine.micro_batches
        if self.machine.engine == "jax":
            from ls_tf.training.jax_engine import JaxEngine

            return JaxEngine(
                spec,
                self.jax_devices,
                transform,
                micro_batches=parts,
                about=functools.partial(traceable.about, identity, self.machine)
                if identity
                else None,
            )
        from ls_tf.training.tensorflow_engine import TensorFlowEngine

        return TensorFlowEngine(
            spec,
            self.strategy,
            transform,
            micro_batches=parts,
            worker=self.worker,
        )

    def lines(self, engine: "Engine", spec: ExperimentSpec) -> list[str]:
        """What a person should see first of a run: on what it is trained.

        Args:
            engine: built.
            spec: of the run, or of any run of the stack.

        Returns:
            list: such as "jax, 1 x NVIDIA H100, bfloat16"; a second line where
            the devices cannot be those that were meant.
        """
        machine, names = self.machine, engine.devices()
        # TensorFlow names those that it sees, JAX those that train.
        is_jax = machine.engine == "jax"
        count = len(names) if is_jax else engine.num_replicas
        networks = len(engine.networks)
        stacked = f", {networks} networks" if networks > 1 else ""
        said = (
            f"{machine.engine}, {count} x {names[0]}, {spec.train.precision}"
            f"{stacked}"
        )
        if (
            machine.strategy != "mirrored"
            or count > 1
            or (names[0].lower() != "cpu")
        ):
            return [said]
        extra = "jax-cuda" if is_jax else "cuda"
        return [
            said,
            f"--strategy=mirrored: no accelerator was found, one CPU trains; "
            f"for GPUs: {extras.install(extra)}; to rehearse on CPUs: "
            "--logical_devices=N",
        ]

    def facts(self, engine: "Engine", spec: ExperimentSpec) -> dict[str, Any]:
        """Fields of ``run.json`` about this process."""
        import keras

        devices = engine.devices()
        return {
            "command": list(self.machine.command),
            "git": provenance.git(),
            "sources": provenance.digest(provenance.sources()),
            "versions": provenance.versions(self.machine.engine, spec.task),
            "engine": self.machine.engine,
            "backend": keras.backend.backend(),
            "strategy": self.machine.strategy,
            "replicas": engine.num_replicas,
            "micro_batches": self.machine.micro_batches,
            "deterministic": self.machine.deterministic,
            "networks": len(engine.networks),
            "precision": spec.train.precision,
            "devices": devices,
            "device_kind": devices[0] if devices else None,
            "host_cpus": os.cpu_count(),
            "surroundings": surroundings.recorded(),
        }


def refuse_other_backend(engine: str) -> None:
    """Refuses an engine that Keras does not run on in this process.

    Raises:
        SpecError: one line.
    """
    loaded = sys.modules.get("keras")
    backend = loaded.backend.backend() if loaded is not None else engine
    if backend != engine:
        raise SpecError(
            f"--engine={engine}: Keras runs on {backend} in this process"
        )


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Within it no garbage is looked for, and never in what was made there.

    Modules stay. To look through what JAX and Keras load takes a quarter of
    the time to load it, and again each time that all garbage is looked for.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    """Within it, libraries that are not loaded yet seem not to be there."""
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))  # as `import` understands it
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


class _Later(types.ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _make_way()
        return getattr(importlib.import_module(self.__name__), name)


def _make_way() -> None:
    """Lets the next import of what was put off find the module itself."""
    modules: dict[str, Any] = sys.modules
    for name, module in list(modules.items()):
        if isinstance(module, _Later):
            del modules[name]


@contextlib.contextmanager
def _put_off(names: Sequence[str]) -> Iterator[None]:
    """Within it, modules are loaded when something of them is asked for.

    Args:
        names: of modules, each behind the package that it is in.
    """
    later = {name: _Later(name) for name in names if name not in sys.modules}
    for name, module in later.items():
        package, _, own = name.rpartition(".")
        if package in later:
            setattr(later[package], own, module)
    sys.modules.update(later)
    try:
        yield
    finally:
        _make_way()


def start_keras(engine: str, *, bare: bool = False) -> None:
    """Loads Keras for an engine, with its own defaults and no user's.

    Its file of settings (``keras.json`` in KERAS_HOME or ~/.keras) would
    change the types and the layout of arrays.

    Args:
        engine: tensorflow or jax.
        bare: for a process that is nobody else's: without what Keras offers
            to users of pandas, scikit-learn and others where these are
            installed. To load them takes as long as to load JAX and Keras;
            whoever needs one later imports it as ever. What Keras itself
            seldom uses is loaded when it is used.

    Raises:
        SpecError: it cannot be loaded; one line.
    """
    os.environ["KERAS_BACKEND"] = engine
    home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull  # a folder without files
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_loading(engine))
            if bare:
                stack.enter_context(_without(_OPTIONAL))
                if engine == "jax":
                    stack.enter_context(_without(_OPTIONAL_ON_JAX))
                    stack.enter_context(_put_off(_SELDOM))
                stack.enter_context(_uncollected())
            import keras
    finally:
        if home is None:
            del os.environ["KERAS_HOME"]
        else:
            os.environ["KERAS_HOME"] = home
    # For a Keras that was loaded before.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
