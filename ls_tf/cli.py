"""Which command the flags mean, and how it ends.

Flags end here; library code takes arguments. Heavy modules are imported inside
functions, so that ``--help`` and ``--mode=print`` answer at once.
"""

import contextlib
import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from ls_tf import (
    __version__,
    arguments,
    commands,
    extras,
    started,
    stopping,
    streams,
)
from ls_tf.exit_codes import (
    BAD_INPUT,
    LOST,
    NO_SPACE,
    NOT_FINITE,
    OK,
    STOPPED,
)
from ls_tf.running import connections, meeting, peers, places, surroundings
from ls_tf.running.machine import Machine
from ls_tf.running.places import Place
from ls_tf.spec import SpecError, nearest, parse, registry
from ls_tf.spec.resolve import EXPERIMENTS
from ls_tf.training import device_errors

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A disk that fails, becomes read-only, or is gone.
_NO_DISK = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ESTALE, errno.ENOTCONN)


def _analyze(argv: Sequence[str]) -> int:
    """Gives a verdict on arrays of one or two networks."""
    values = arguments.read_analyze([argv[0], *argv[2:]])
    if values.help:
        print(arguments.usage_of_analyze(values))
        return OK
    classes = None
    if values.classes is not None:
        words = values.classes.split(",")
        classes = [parse(word, int, "--classes") for word in words]
    resamples = arguments.whole(values, "resamples", 10)
    seed = arguments.whole(values, "seed", 0)
    with commands.importing():
        from ls_tf.verdict import verdict

    found = verdict.analyze(
        values.hard,
        values.smoothed,
        out=values.out,
        classes=classes,
        order=values.order,
        resamples=resamples,
        seed=seed,
    )
    commands.show(found)
    commands.show(found.page)
    return OK


def _list() -> None:
    """Prints the first line of every experiment and report."""
    for title, package in (
        ("experiments", EXPERIMENTS),
        ("reports", "ls_tf.reports"),
    ):
        names = registry.names(package)
        width = max(map(len, names))
        print(f"{title}:")
        for name in names:
            print(f"  {name:{width}}  {registry.summary(package, name)}")


def _start(argv: Sequence[str]) -> int:
    if argv[1:2] == ["analyze"]:
        return _analyze(argv)
    values = arguments.read(argv)
    if values.help:
        print(
            arguments.usage(
                experiments=registry.names(EXPERIMENTS),
                reports=registry.names("ls_tf.reports"),
            )
        )
        print(values.main_module_help() or values.get_help())
        return OK
    if values.version:
        print(f"ls_tf {__version__}")
        return OK
    if values.list:
        _list()
        return OK
    if values.mode == "merge" and not (values.experiment or values.report):
        arguments.refuse_unused(values)
        return commands.merge(values)
    if values.mode == "merge":
        raise SpecError("--mode=merge goes without --experiment and --report")
    is_one = (values.experiment is None) != (values.report is None)
    if (
        values.run is None
        and not is_one
        and (values.report != arguments.COMPARE or values.experiment is None)
    ):
        raise SpecError(
            "wanted --experiment=NAME or --report=NAME; experiments: "
            f"{', '.join(registry.names(EXPERIMENTS))}; reports: "
            f"{', '.join(registry.names('ls_tf.reports'))}"
        )
    if values.mode not in arguments.MODES:
        raise SpecError(
            f"no mode '{values.mode}'; {nearest(values.mode, arguments.MODES)}"
        )
    for name in ("logical_devices", "micro_batches", "worker_timeout"):
        arguments.whole(values, name, 1)
    arguments.refuse_unused(values)
    if (minutes := arguments.time_limit(values)) is not None:
        stopping.limit(60 * minutes, started.command(argv[1:]))
    if values.mode not in ("print", "show"):
        arguments.check_data_dir(values)
    for told in surroundings.settle():
        commands.say(told)
    stopping.look()
    if values.report is not None:
        return commands.report(values, argv)
    return commands.experiment(values, argv)


def _bad_input() -> tuple[type[Exception], ...]:
    """The errors that say in one line what a person must change."""
    kinds: list[type[Exception]] = [SpecError, extras.MissingError]
    # Only modules that are loaded can have raised their error.
    for module, name in (
        ("ls_tf.records.runs", "RunError"),
        ("ls_tf.pipeline.contract", "DataError"),
        ("ls_tf.training.checkpoints", "CheckpointError"),
        ("ls_tf.pages.blocks", "ReportError"),
        ("ls_tf.verdict.inputs", "InputError"),
    ):
        if module in sys.modules:
            kinds.append(getattr(sys.modules[module], name))
    return tuple(kinds)


def _ended(error: BaseException) -> int | None:
    """The exit code of an error that ends with one line; None for a bug."""
    if isinstance(error, _bad_input()):
        commands.say(str(error))
        return BAD_INPUT
    if isinstance(error, connections.PeerError):
        commands.say(f"{error}; the last checkpoint is intact")
        return LOST
    launching = sys.modules.get("ls_tf.launchers.jobs")
    if launching is not None and isinstance(error, launching.LaunchError):
        commands.say(str(error))
        return int(error.code)
    if isinstance(error, stopping.StoppedError):
        stopping.answer()
        commands.say(stopping.farewell())
        return STOPPED
    if isinstance(error, streams.OutputError):
        if error.has_no_reader:
            return OK
        commands.say(f"{error}; what is recorded is kept")
        return NO_SPACE
    execute = sys.modules.get("ls_tf.running.execute")
    if execute is not None and isinstance(error, execute.NonFiniteLossError):
        commands.say(str(error))
        return NOT_FINITE
    if (library := extras.missing(error)) is not None:
        commands.say(extras.wanted("this", library))
        return BAD_INPUT
    if (advice := device_errors.advice(error)) is not None:
        commands.say(advice)
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno in (*_NO_SPACE, *_NO_DISK):
        is_full = error.errno in _NO_SPACE
        what = "no space left" if is_full else "the disk failed"
        # What a write raises names no file.
        named = "" if error.filename is None else f": {error.filename}"
        commands.say(
            f"{what} ({error.strerror}){named}; what was written before is "
            "whole, the same command resumes"
        )
        return NO_SPACE
    return None


def _take_leave(
    argv: Sequence[str], error: BaseException | None, code: int | None
) -> None:
    """Lets no other process of a run wait for this one."""
    reason = " ".join(str(error or "").split())
    if code == STOPPED:
        reason = "stopped by a signal or its time limit"
    elif error is not None and (code is None or not reason):
        reason = f"{type(error).__name__} {reason}".strip()
    if peers.has_met():
        ends_at_once = peers.leave(reason)
        if error is not None and code is None and ends_at_once:
            traceback.print_exception(error)
            code = 1
        if code == LOST or ends_at_once:
            # An engine would wait for the lost one to take its leave of it.
            os._exit(code or OK)
    elif code == BAD_INPUT and any("multi" in word for word in argv):
        with contextlib.suppress(SpecError):
            place = _place(argv)
            # "multi" may be in another word: learning_rate_multipliers.
            if place.count > 1:
                meeting.tell_absence(place, reason, meeting.REFUSED_SECONDS)


def _place(argv: Sequence[str]) -> Place:
    """The place of a process whose command line may be wrong.

    Raises:
        SpecError: it is wrong in what concerns the place too.
    """
    try:
        values = arguments.read(argv)
    except SpecError:  # some flag is unknown
        return places.of(Machine(strategy="multi_worker"))
    return places.of(commands.machine_of(values, argv))


def main(argv: Sequence[str]) -> int:
    """Does what the flags say.

    Args:
        argv: the program's name and the flags.

    Returns:
        int: the exit code; see ``--help``.

    Source: ours.
    """
    # Before anything imports TensorFlow: its start-up lines are no message.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Read when matplotlib is loaded: a user's own may be none that it takes.
    os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
    # A warning that a user has made an error would end a run at a library's.
    if any(option.startswith("e") for option in sys.warnoptions):
        warnings.simplefilter("default")
    # The streams first: who listens keeps a copy of standard error.
    with streams.guarded(), stopping.listening(program=True):
        try:
            code = _start(argv)
            if not streams.is_output_closed():
                sys.stdout.flush()
            _take_leave(argv, None, code)
            return code
        except BaseException as error:
            ended = _ended(error)
            _take_leave(argv, error, ended)
            if ended is None:
                raise
            return ended


def run() -> None:
    """The console script: what ``main`` says is the end of the process."""
    streams.open_closed()
    with stopping.listening(program=True, last=True):
        code = main(sys.argv)
    if code == STOPPED or stopping.is_abandoned():
        # All is written, and an orderly end of the libraries takes seconds.
        os._exit(code)
    sys.exit(code)
