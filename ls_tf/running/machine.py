"""Where and how to run, as the flags say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Where and how to run; none of it may change the numbers."""

    runs_dir: str = "runs"
    data_dir: str | None = None
    engine: str = "tensorflow"
    strategy: str = "default"
    tpu: str | None = None  # of TensorFlow: "local" or a name
    logical_devices: int = 1
    micro_batches: int = 1
    deterministic: bool = False
    # Of JAX: a folder for compiled programs, "off", or None: the user's own.
    compile_cache: str | None = None
    worker_timeout: int = 600  # seconds to wait for the other processes
    # Of several JAX processes: where process 0 serves, how many, which one.
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    command: tuple[str, ...] = ()
