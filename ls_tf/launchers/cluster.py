"""Jobs on a Ray cluster: each is a remote function."""

import contextlib
import logging
import os
import socket
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from etils.epath import Path

from ls_tf import exit_codes, stopping, streams
from ls_tf.launchers.carrying import Carrier
from ls_tf.launchers.jobs import Command, Ending, Job, LaunchError
from ls_tf.running import agreement
from ls_tf.running.machine import Machine
from ls_tf.spec import SpecError

_REACH_SECONDS, _JOIN_SECONDS = 4.0, 12.0
_PAUSE_SECONDS = 0.2
_SHOWN = 200  # characters of what Ray says


class Remote:
    """A job that Ray has taken."""

    def __init__(self, ref: Any, log: str) -> None:
        """Takes Ray's reference to its result."""
        self.ref, self._log = ref, log

    @property
    def log(self) -> str:
        """The file with what it says on standard error."""
        return self._log

    def ending(self) -> Ending | None:
        """How it ended; None as long as it goes on."""
        import ray

        done, _ = ray.wait([self.ref], timeout=0)
        if not done:
            return None
        try:
            code, reason = ray.get(self.ref)
        except ray.exceptions.RayError as error:
            return Ending(None, f"was lost ({_line(error)})")
        return Ending(code, reason)


class Cluster:
    """A Ray cluster that is there already."""

    def __init__(
        self,
        command: Command,
        machine: Machine,
        address: str,
        resources: Mapping[str, float],
        most: int | None,
    ) -> None:
        """Joins the cluster.

        Args:
            command: of all jobs.
            machine: for which versions count.
            address: ``host:port``, ``ray://host:port`` or ``auto``.
            resources: ``num_cpus`` and ``num_gpus`` of a job.
            most: jobs at once; default: Ray has them all.

        Raises:
            SpecError: it cannot be reached; one line, within 20 s.
        """
        self._command, self._machine = command, machine
        self._most = most or sys.maxsize
        _join(address)
        import ray

        # Ray sets a handler of its own where it begins.
        with stopping.listening():
            pass
        present: Any = ray.cluster_resources
        has_gpus = present().get("GPU", 0.0) > 0
        self._resources = {
            "num_cpus": 1.0,
            "num_gpus": float(has_gpus),
            **resources,
        }
        if self._resources["num_gpus"] and not has_gpus:
            streams.say("the Ray cluster has no GPU now; jobs wait for one")

    def places(self) -> int:
        """How many jobs may be under way at once."""
        return self._most

    def resumed(self, job: Job) -> Remote | None:
        """None: Ray ends what a process has started when that ends."""
        return None

    def start(self, job: Job) -> Remote:
        """Hands a job to Ray."""
        import ray

        carrier = Carrier(
            self._command.words(job),
            os.getcwd(),
            _environment(),
        )
        code = agreement.about_code(self._machine.engine, job.runs[0].spec.task)
        log = str(self._command.files(job) / f"{time.time_ns()}_ray_log.err")
        try:
            ref = (
                ray.remote(carry_out)
                # A launcher tries again; see ``scheduling``.
                .options(max_retries=0, name=job.title, **self._resources)
                .remote(
                    carrier,
                    code,
                    self._machine.engine,
                    job.runs[0].spec.task,
                    log,
                )
            )
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise LaunchError(
                f"the Ray cluster is gone: {_line(error)}", 6
            ) from None
        return Remote(ref, log)

    def stop(self, handles: Sequence[Remote]) -> str:
        """Passes the request to stop on, and waits for the states.

        Ray ends the functions of a process that ends, so that they could not
        go on.
        """
        import ray

        for handle in handles:
            ray.cancel(handle.ref, force=False)
        while any(handle.ending() is None for handle in handles):
            time.sleep(_PAUSE_SECONDS)
        return f"{len(handles)} jobs of Ray stopped, what had begun is saved"


def carry_out(
    carrier: Carrier,
    code: Mapping[str, Any],
    engine: str,
    task: str,
    log: str,
) -> tuple[int, str]:
    """Carries a job out on a node of the cluster.

    Args:
        carrier: the job.
        code: of ``agreement.about_code``, where the job was launched.
        engine: see there.
        task: see there.
        log: the file for what the job says.

    Returns:
        (exit code, what can be said of it beside its log).
    """
    told = agreement.difference(dict(code), agreement.about_code(engine, task))
    if told is not None:
        return (
            exit_codes.BAD_INPUT,
            f"node {socket.gethostname()} runs other code: {told}",
        )
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with Path(log).open("ab") as file:
        process = carrier.started(file)
        try:
            return process.wait(), ""
        except BaseException:  # of Ray, by which it stops a function
            process.tell()
            process.wait()
            raise


def _environment() -> dict[str, str | None]:
    """What of a node's environment is to be as it is here."""
    # Ray sets it where a user has not, and it parts sums.
    kept = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}
    if "TFDS_DATA_DIR" in os.environ:
        kept["TFDS_DATA_DIR"] = os.environ["TFDS_DATA_DIR"]
    return kept


def _join(address: str) -> None:
    """Makes this process one of the cluster's.

    Raises:
        SpecError: it cannot be reached.
    """
    wanted = f"--ray={address}: no Ray cluster could be reached"
    where = address
    if address == "auto":
        where = os.environ.get("RAY_ADDRESS", "")
    with stopping.doing("looking for the Ray cluster"):
        if where:
            try:
                stopping.aside(lambda: _touch(where))
            except (OSError, ValueError) as error:
                raise SpecError(f"{wanted} ({_line(error)})") from None
        with stopping.importing("Ray"):
            import ray
        try:
            # Else Ray tries for minutes, and says so each second.
            with streams.quiet():
                stopping.aside(lambda: _init(ray, address), _JOIN_SECONDS)
        except Exception as error:  # Ray has no one kind for it
            raise SpecError(f"{wanted} ({_line(error)})") from None


def _touch(where: str) -> None:
    """Connects to an address, and no more."""
    host, colon, port = where.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isascii() and port.isdecimal()):
        raise ValueError("wanted HOST:PORT, ray://HOST:PORT or auto")
    address = (host.strip("[]"), int(port))
    with contextlib.closing(
        socket.create_connection(address, timeout=_REACH_SECONDS)
    ):
        pass


def _init(ray: Any, address: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            ignore_reinit_error=True,
        )


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:_SHOWN]
