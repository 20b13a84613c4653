"""Jobs through submitit: processes of this machine, or jobs of Slurm."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etils.epath import Path

from ls_tf import exit_codes, stopping
from ls_tf.launchers.carrying import Carrier
from ls_tf.launchers.devices import Device
from ls_tf.launchers.jobs import Command, Ending, Job, LaunchError
from ls_tf.records.files import VERSION, RunError, read_json, write_json
from ls_tf.spec import SpecError

# submitit ends a local job after this time; a run has no such time.
_NO_LIMIT_MINUTES = 60 * 24 * 3650
# How often Slurm may start a job again that ran out of time; each time it has
# come further.
_MOST_TIMEOUTS = 1000
# A shared disk may show a result so much later than Slurm shows the end.
_LATE_SECONDS = 30.0
_ASK_SECONDS, _PAUSE_SECONDS = 1.0, 0.1
_LEFT = "job.json"
# What Slurm says of a job that is not over.
_ALIVE = {
    *("PENDING", "RUNNING", "REQUEUED", "COMPLETING", "CONFIGURING"),
    *("SUSPENDED", "PREEMPTED", "REQUEUE_HOLD", "RESIZING"),
}
_PROGRAMS = ("sbatch", "srun", "sacct", "scontrol")


class Submitted:
    """A job that submitit has started."""

    def __init__(self, job: Any, device: int = 0, patience: float = 0.0):
        """Takes submitit's job.

        Args:
            job: submitit's.
            device: its place among those of this machine.
            patience: seconds for which a result may be late.
        """
        self.job, self.device = job, device
        self._patience = patience
        self._ended: float | None = None

    @property
    def log(self) -> str:
        """The file with what it says on standard error."""
        return str(self.job.paths.stderr)

    def ending(self) -> Ending | None:
        """How it ended; None as long as it goes on."""
        from submitit.core.utils import UncompletedJobError

        if not self.job.done():
            return None
        result = self.job.paths.result_pickle
        if not result.exists():
            # submitit would wait here, and look for no request to stop.
            now = time.monotonic()
            self._ended = now if self._ended is None else self._ended
            if now - self._ended < self._patience:
                return None
            return Ending(None, f"was lost ({str(self.job.state).lower()})")
        try:
            ending = Ending(int(self.job.result()))
        except UncompletedJobError as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            ending = Ending(None, f"was lost ({lines[0].strip()})")
        for file in (result, self.job.paths.submitted_pickle):
            file.unlink(missing_ok=True)
        return ending


class _Submitit:
    """What both kinds of jobs have in common."""

    def __init__(
        self, cluster: str, command: Command, parameters: Mapping[str, Any]
    ) -> None:
        """Takes what does not depend on the job.

        Args:
            cluster: submitit's name for the kind: local or slurm.
            command: of all jobs.
            parameters: of ``update_parameters``.
        """
        self._cluster, self._command = cluster, command
        self._parameters = dict(parameters)

    def _carrier(self, job: Job, **options: Any) -> Carrier:
        return Carrier(self._command.words(job), os.getcwd(), **options)

    def _submit(self, job: Job, carrier: Carrier) -> Any:
        """Hands a job to submitit.

        Raises:
            LaunchError: it was not taken; one line.
        """
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        # Of every job it would say that it waits.
        logging.getLogger("submitit").setLevel(logging.ERROR)
        executor = submitit.AutoExecutor(
            str(self._command.files(job)),
            cluster=self._cluster,
            slurm_max_num_timeout=_MOST_TIMEOUTS,
        )
        executor.update_parameters(**self._parameters)
        try:
            with _importable(), _unheard():
                return executor.submit(carrier)
        except (FailedJobError, FailedSubmissionError) as error:
            said = " ".join(str(error).split())
            raise LaunchError(
                f"run {job.title}: {self._cluster} did not take the job: "
                f"{said}",
                exit_codes.BAD_INPUT,
            ) from None


class Local(_Submitit):
    """Processes of this machine, each with one of its devices."""

    def __init__(
        self, command: Command, devices: Sequence[Device], most: int | None
    ) -> None:
        """Takes the devices.

        Args:
            command: of all jobs.
            devices: of this machine.
            most: jobs at once; default: one for each device.
        """
        super().__init__("local", command, {"timeout_min": _NO_LIMIT_MINUTES})
        self._devices = list(devices)
        self._most = most or len(self._devices)
        self._taken: list[Submitted] = []

    def places(self) -> int:
        """How many jobs may be under way at once."""
        return self._most

    def resumed(self, job: Job) -> Submitted | None:
        """None: processes of a launcher of before hold their runs."""
        return None

    def start(self, job: Job) -> Submitted:
        """Starts a job on the device that has the fewest."""
        self._taken = [h for h in self._taken if not h.job.done()]
        used = [h.device for h in self._taken]
        device = min(range(len(self._devices)), key=used.count)
        environment = {
            # submitit hides all GPUs.
            "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "PYTHONPATH": os.environ.get("PYTHONPATH"),
            **self._devices[device].environment,
        }
        carrier = self._carrier(job, environment=environment)
        handle = Submitted(self._submit(job, carrier), device)
        self._taken.append(handle)
        return handle

    def stop(self, handles: Sequence[Submitted]) -> str:
        """Passes the request to stop on, and waits for the states."""
        left, saved, asked = list(handles), 0, float("-inf")
        while left:
            # Again: one that was just started does not hear it yet. A run is
            # told once.
            if time.monotonic() - asked >= _ASK_SECONDS:
                asked = time.monotonic()
                for handle in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(handle.job.job_id), signal.SIGTERM)
            for handle in list(left):
                ending = handle.ending()
                if ending is not None:
                    left.remove(handle)
                    saved += ending.code in (exit_codes.OK, exit_codes.STOPPED)
            time.sleep(_PAUSE_SECONDS)
        return f"{saved} of {len(handles)} jobs stopped with their state saved"


class Slurm(_Submitit):
    """Jobs of Slurm."""

    def __init__(
        self, command: Command, parameters: Mapping[str, Any], most: int | None
    ) -> None:
        """Takes what Slurm is to give a job.

        Args:
            command: of all jobs.
            parameters: of ``update_parameters``.
            most: jobs at once; default: Slurm has them all.

        Raises:
            SpecError: there is no Slurm here.
        """
        folders = os.environ.get("PATH", "").split(os.pathsep)
        for name in _PROGRAMS:
            if not any((Path(f) / name).exists() for f in folders if f):
                raise SpecError(
                    "--launcher=slurm wants a machine with Slurm's programs "
                    f"({', '.join(_PROGRAMS)}): there is no {name} in PATH"
                )
        stopping.aside(_ask_accounting)
        super().__init__("slurm", command, parameters)
        self._most = most or sys.maxsize

    def places(self) -> int:
        """How many jobs may be under way at once."""
        return self._most

    def resumed(self, job: Job) -> Submitted | None:
        """The job that a launcher of before has left to Slurm."""
        from submitit import SlurmJob

        try:
            left = read_json(
                self._command.files(job) / _LEFT, "the number of a job"
            )
        except RunError:
            return None  # half a file is no job
        if left is None:
            return None
        known = SlurmJob[int](
            str(self._command.files(job)), str(left.get("job"))
        )
        told = stopping.aside(lambda: known.get_info(mode="force"))
        state = str(told.get("State", "")).split()
        if not state or state[0] not in _ALIVE:
            return None
        return Submitted(known, patience=_LATE_SECONDS)

    def start(self, job: Job) -> Submitted:
        """Hands a job to Slurm, and notes its number."""
        carrier = self._carrier(
            job,
            environment={"PYTHONPATH": os.environ.get("PYTHONPATH")},
            # Slurm signals all processes of a job: of two signals the second
            # would end the run at once.
            deaf_to=(int(signal.SIGTERM),),
        )

        def submit() -> Any:
            taken = self._submit(job, carrier)
            left = {"version": VERSION, "job": taken.job_id, "run": job.title}
            write_json(self._command.files(job) / _LEFT, left)
            return taken

        return Submitted(stopping.aside(submit), patience=_LATE_SECONDS)

    def stop(self, handles: Sequence[Submitted]) -> str:
        """Leaves the jobs to Slurm; says which they are."""
        numbers = " ".join(handle.job.job_id for handle in handles)
        return (
            f"{len(handles)} jobs of Slurm go on; the same command waits for "
            f"them again, and this ends them: scancel {numbers}"
        )


def _ask_accounting() -> None:
    """Refuses a Slurm that does not say how jobs have ended.

    Raises:
        SpecError: it does not; one line.
    """
    asked = subprocess.run(
        ["sacct", "-n", "-X"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if asked.returncode:
        said = " ".join(asked.stderr.split()) or "nothing"
        raise SpecError(
            "--launcher=slurm wants Slurm's accounting, which says how jobs "
            f"have ended; sacct says: {said}"
        )


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """What is started within hears neither a terminal's keys nor its end.

    Else submitit would kill a run a second after the person has asked it to
    save its state. What comes meanwhile is heard afterwards.
    """
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP)
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """What is started within finds this package, installed or not."""
    import ls_tf

    parent = str(Path(ls_tf.__file__).parent.parent)
    known = os.environ.get("PYTHONPATH")
    if sys.path[:1] != [parent]:
        yield
        return
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (parent, known)))
    try:
        yield
    finally:
        if known is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = known
