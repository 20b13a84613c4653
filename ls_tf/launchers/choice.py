"""Which launcher the flags choose, checked before anything is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ls_tf import extras
from ls_tf.launchers import jobs
from ls_tf.launchers.jobs import Job, Launcher
from ls_tf.launchers.scheduling import Schedule
from ls_tf.running.machine import Machine
from ls_tf.running.sweep import Progress
from ls_tf.spec import SpecError, nearest, parse

HERE = "here"
NAMES = (HERE, "local", "slurm", "ray")

# Launcher -> the package that it wants.
_PACKAGES = {"local": "submitit", "slurm": "submitit", "ray": "ray"}
# Key of --slurm -> type, and its name in submitit's update_parameters.
_SLURM: dict[str, tuple[type, str]] = {
    "account": (str, "slurm_account"),
    "comment": (str, "slurm_comment"),
    "constraint": (str, "slurm_constraint"),
    "cpus_per_task": (int, "cpus_per_task"),
    "gpus_per_node": (int, "gpus_per_node"),
    "gres": (str, "slurm_gres"),
    "mem_gb": (float, "mem_gb"),
    "name": (str, "name"),
    "partition": (str, "slurm_partition"),
    "qos": (str, "slurm_qos"),
    "signal_delay_s": (int, "slurm_signal_delay_s"),
    "timeout_min": (int, "timeout_min"),
}
_SLURM_AT_FIRST = {"name": "ls_tf", "timeout_min": 240}
_RAY: dict[str, tuple[type, str]] = {
    "num_cpus": (float, "num_cpus"),
    "num_gpus": (float, "num_gpus"),
}
_MAY_BE_NONE = ("gpus_", "num_")


@dataclass(frozen=True)
class Choice:
    """A launcher and its settings.

    Attributes:
        name: one of ``NAMES``.
        most: jobs at once; None: as many as there are places.
        retries: how often a job that failed is tried again.
        settings: for the launcher's library.
        address: of a Ray cluster.
    """

    name: str = HERE
    most: int | None = None
    retries: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)
    address: str = "auto"

    @property
    def is_here(self) -> bool:
        """Whether runs are trained in this process."""
        return self.name == HERE


def choose(
    name: str,
    *,
    most: int | None,
    retries: int,
    slurm: str | None = None,
    ray: str | None = None,
) -> Choice:
    """Reads what the flags say of a launcher.

    Args:
        name: of ``--launcher``.
        most: of ``--jobs``.
        retries: of ``--retries``.
        slurm: of ``--slurm``: KEY=VALUE,...
        ray: of ``--ray``: an address and KEY=VALUE,...

    Raises:
        SpecError: there is none of this name, its package is not installed, or
            a setting is not one; one line.

    Source: ours.
    """
    if name not in NAMES:
        raise SpecError(f"no launcher '{name}'; {nearest(name, NAMES)}")
    for flag, value in (("slurm", slurm), ("ray", ray)):
        if value is not None and name != flag:
            raise SpecError(f"--{flag} goes with --launcher={flag} only")
    if name == HERE:
        return Choice()
    if not extras.is_there(_PACKAGES[name]):
        raise SpecError(extras.wanted(f"--launcher={name}", _PACKAGES[name]))
    settings: dict[str, Any] = {}
    address = "auto"
    if name == "slurm":
        parts = [] if slurm is None else slurm.split(",")
        settings = {**_SLURM_AT_FIRST, **_settings("--slurm", parts, _SLURM)}
    elif name == "ray":
        first, *parts = (address if ray is None else ray).split(",")
        if not first or "=" in first:
            raise SpecError(
                "--ray: wanted ADDRESS or ADDRESS,KEY=VALUE,..., such as "
                f"auto,num_gpus=1, got '{ray}'"
            )
        address, settings = first, _settings("--ray", parts, _RAY)
    return Choice(name, most, retries, settings, address)


def _settings(
    flag: str, parts: Sequence[str], known: Mapping[str, tuple[type, str]]
) -> dict[str, Any]:
    """Reads KEY=VALUE pairs."""
    settings: dict[str, Any] = {}
    for part in parts:
        key, equals, text = part.partition("=")
        if not equals or not text:
            raise SpecError(
                f"{flag}: wanted KEY=VALUE,..., got '{part}'; keys: "
                f"{', '.join(known)}"
            )
        if key not in known:
            raise SpecError(f"{flag}: no key '{key}'; {nearest(key, known)}")
        kind, name = known[key]
        if name in settings:
            raise SpecError(f"{flag}: '{key}' stands twice")
        value: Any = text
        if kind is not str:
            value = parse(text, kind, f"{flag}: {key}")
            if value < 0 or (value == 0 and not key.startswith(_MAY_BE_NONE)):
                raise SpecError(f"{flag}: {key}: wanted more, got {text}")
        settings[name] = value
    return settings


def carry_out(
    choice: Choice,
    wanted: Sequence[Job],
    machine: Machine,
    program: Sequence[str],
) -> None:
    """Carries out jobs as a choice says, and waits for them.

    Args:
        choice: not ``HERE``.
        wanted: of the whole sweep, teachers before students.
        machine: where to run.
        program: words of the command line after the interpreter and before
            the flags.

    Raises:
        SpecError: the place cannot be had; one line, nothing is started.
        LaunchError: some run could not be trained; the others are.
        StoppedError: a signal came.

    Source: ours.
    """
    progress = Progress(
        [r for job in wanted for r in job.runs], machine.runs_dir
    )
    if progress.finished == progress.total:
        return  # no cluster need be there
    Schedule(
        wanted,
        _launcher(choice, machine, program),
        machine.runs_dir,
        retries=choice.retries,
    ).carry_out()


def _launcher(
    choice: Choice, machine: Machine, program: Sequence[str]
) -> Launcher:
    command = jobs.Command(
        tuple(program),
        tuple(jobs.machine_flags(machine)),
        jobs.folder(machine.runs_dir),
    )
    if choice.name == "ray":
        from ls_tf.launchers.cluster import Cluster

        return Cluster(
            command,
            machine=machine,
            address=choice.address,
            resources=choice.settings,
            most=choice.most,
        )
    from ls_tf.launchers import batch, devices

    if choice.name == "slurm":
        return batch.Slurm(
            command, parameters=choice.settings, most=choice.most
        )
    return batch.Local(
        command, devices=devices.all_of(machine), most=choice.most
    )
