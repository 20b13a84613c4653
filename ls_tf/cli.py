"""The flags, and what they start.

Flags are read here and nowhere else; library code takes arguments. Heavy
modules are imported inside functions, so that ``--help`` and ``--mode=print``
answer at once.
"""

import contextlib
import errno
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from ls_tf import flagfiles, stopping, streams
from ls_tf.running import peers, stack, surroundings
from ls_tf.spec import SpecError, Value, as_dict, nearest, parse, registry
from ls_tf.spec.resolve import EXPERIMENTS, RunIdentity

if TYPE_CHECKING:
    from ls_tf.running.session import Machine

OK, BAD_INPUT, STOPPED, NOT_FINITE, NO_SPACE = 0, 2, stopping.EXIT_CODE, 4, 5
LOST = peers.EXIT_CODE
MODES = ("train_and_eval", "train", "eval", "print", "prepare", "translate")
# Flags that say where things lie on this machine and not what is run.
_PATHS = ("runs_dir", "reports_dir", "data_dir", "readme", "prepared")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A disk that fails, becomes read-only, or is gone.
_NO_DISK = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ESTALE, errno.ENOTCONN)

_USAGE = """\
Trains and measures the experiments of the label-smoothing study, and rebuilds
its tables and figures from recorded runs.

  python run_experiment.py --experiment=NAME [--alpha=A] [--seed=K]
  python run_experiment.py --report=NAME [--run_missing [--shard=I/N]]
  python run_experiment.py --experiment=NAME --mode=translate <IN >OUT

experiments: {experiments}
reports: {reports}

exit codes: 0 done; 2 bad input (one line says what); 3 stopped by SIGTERM,
SIGINT or SIGHUP with the state saved (the same command resumes; a second
signal does not wait for that, the last checkpoint is intact); 4 the loss was
not finite; 5 no space left for a checkpoint, or the disk failed (the one
before it is intact), or standard output cannot be written (a finished run
stays finished);
6 another process of --strategy=multi_worker is lost, was refused or did not
come (the last checkpoint is intact).
"""


def _define() -> flags.FlagValues:
    values = flags.FlagValues()  # type: ignore[no-untyped-call]
    text, on = flags.DEFINE_string, flags.DEFINE_bool
    text("experiment", None, "train and measure it", flag_values=values)
    text("report", None, "rebuild a table or figure", flag_values=values)
    text("alpha", None, "label smoothing, 0 to 1", flag_values=values)
    text("seed", None, "the run's seed", flag_values=values)
    flags.DEFINE_multi_string(
        "set",
        [],
        "PATH=VALUE: any other field of the specification; may be repeated",
        flag_values=values,
    )
    text("mode", MODES[0], f"one of {', '.join(MODES)}", flag_values=values)
    text("runs_dir", "runs", "where records go", flag_values=values)
    text("reports_dir", "reports", "where reports go", flag_values=values)
    text(
        "data_dir",
        None,
        "where TFDS data lies, or a file that --mode=prepare wrote; default: "
        "TFDS_DATA_DIR, else TFDS's own",
        flag_values=values,
    )
    text(
        "prepared",
        None,
        "with --mode=prepare: the file to write; default: EXPERIMENT.npz",
        flag_values=values,
    )
    text("engine", "tensorflow", "tensorflow or jax", flag_values=values)
    flags.DEFINE_multi_string(
        "stack",
        [],
        "FIELD:VALUE,... or FIELD:FIRST..LAST: train these runs in one "
        "program (--engine=jax); several multiply",
        flag_values=values,
    )
    text(
        "strategy",
        "default",
        "default (one device), mirrored (all local ones), multi_worker or "
        "tpu; does not change the numbers",
        flag_values=values,
    )
    text(
        "micro_batches",
        "1",
        "parts in which a replica takes its batch, to save memory",
        flag_values=values,
    )
    text(
        "logical_devices",
        "1",
        "devices to make of one CPU, to rehearse --strategy=mirrored",
        flag_values=values,
    )
    text(
        "worker_timeout",
        "600",
        "seconds to wait for the other processes of --strategy=multi_worker",
        flag_values=values,
    )
    on("deterministic", False, "deterministic operations", flag_values=values)
    on("smoke", False, "shrink the run to seconds", flag_values=values)
    on(
        "run_missing",
        False,
        "first train the runs that a report or a student needs",
        flag_values=values,
    )
    text(
        "shard",
        None,
        "I/N, with --report and --run_missing: train the I-th of N parts of "
        "the missing runs; N machines with one --runs_dir share a sweep",
        flag_values=values,
    )
    text(
        "readme",
        None,
        "with --report: also write its table into this file, between the "
        "report's two marker lines",
        flag_values=values,
    )
    on("help", False, "show this", short_name="h", flag_values=values)
    return values


def _say(message: str) -> None:
    print(f"ls_tf: {' '.join(message.split())}", file=sys.stderr)


def _parse(argv: Sequence[str]) -> flags.FlagValues:
    values = _define()
    words = [*argv[:1], *flagfiles.expanded(argv[1:])]
    try:
        rest = values(words)
    except (flags.Error, ValueError) as error:
        # ValueError: a switch that is given a value, as --nosmoke=1.
        message = str(error).removeprefix("ERROR:: ")
        raise SpecError(message) from None
    except RecursionError:  # absl looks for flags that are spelt alike.
        raise SpecError("unknown flag, of hundreds of letters") from None
    if len(rest) > 1:
        # ascii: a character that cannot be seen is seen.
        raise SpecError(f"wanted flags only, got {ascii(rest[1])}")
    return values


def _changes(values: flags.FlagValues) -> dict[str, Value]:
    changes: dict[str, Value] = {}
    for text in values.set:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise SpecError(f"--set: wanted PATH=VALUE, got '{text}'")
        if path == "seed":
            raise SpecError("--set: the seed has its own flag, --seed")
        changes.pop(path, None)  # of two for one field, the place of the later
        changes[path] = value
    if values.alpha is not None:
        for path in ("alpha", "train.alpha"):
            changes.pop(path, None)
        changes["alpha"] = values.alpha
    return changes


# Far above what a machine has, far below what it cannot count.
_MOST = {
    "logical_devices": 1024,
    "micro_batches": 2**20,
    "worker_timeout": 10_000_000,
}


def _whole(name: str, text: str, least: int) -> int:
    number = parse(text, int, f"--{name}")
    if number < least:
        raise SpecError(f"--{name}: wanted {least} or more, got {number}")
    most = _MOST.get(name, number)
    if number > most:
        raise SpecError(f"--{name}: wanted {most} or less, got {number}")
    return int(number)


def _identities(values: flags.FlagValues) -> list[RunIdentity]:
    """The run that the flags mean, or the runs of a stack."""
    seed = None if values.seed is None else _whole("seed", values.seed, 0)
    return stack.identities(
        values.experiment,
        stack.parse(values.stack),
        changed=_changes(values),
        seed=seed,
        smoke=values.smoke,
    )


def _print(identity: RunIdentity) -> None:
    about = {
        "experiment": identity.experiment,
        "changes": as_dict(identity.changes),
        "seed": identity.seed,
        "folder": identity.folder,
        "digest": identity.digest,
        "spec": as_dict(identity.spec),
    }
    print(json.dumps(about, indent=2))


def _importing() -> contextlib.AbstractContextManager[None]:
    return stopping.importing("the program")


def _experiment(values: flags.FlagValues, argv: Sequence[str]) -> int:
    identities = _identities(values)
    if values.mode == "print":
        for identity in identities:
            _print(identity)
        return OK
    if values.mode == "prepare":
        return _prepare(values, identities[0])
    if values.mode == "translate":
        return _translate(values, argv, identities[0])
    with _importing():
        from ls_tf.records import runs
        from ls_tf.running import session
        from ls_tf.training import strategy

    session.check(values.engine, values.strategy)
    stack.check(identities, values.engine)
    is_writer = strategy.worker(values.strategy)[0] == 0
    wanted = []
    for identity in identities:
        runs.refuse(values.runs_dir, identity, is_writer=is_writer)
        record = runs.find(values.runs_dir, identity)
        if values.mode != "eval" and record is not None:
            record.check()
            _say(f"run {identity.title} is finished already")
            runs.tidy(values.runs_dir, identity)
        else:
            wanted.append(identity)
    if wanted:
        _train(values, argv, wanted)
    else:
        _say_finished(values.strategy, identities)
    for identity in identities:
        _show(runs.Path(values.runs_dir) / identity.folder)
    return OK


def _show(path: object) -> None:
    """Prints where something is; who closed the output need not know."""
    if not streams.is_output_closed():
        print(path)


def _say_finished(name: str, identities: Sequence[RunIdentity]) -> None:
    """Lets no other process wait for one that has nothing to do."""
    from ls_tf.training import strategy

    index, addresses = strategy.worker(name)
    if len(addresses) > 1:
        reason = f"run {identities[0].title} is finished already"
        peers.tell_absence(index, addresses, reason, peers.IDLE_SECONDS)


def _train(
    values: flags.FlagValues, argv: Sequence[str], wanted: list[RunIdentity]
) -> None:
    with _importing():
        from ls_tf.running import agreement, execute, sweep
        from ls_tf.running.session import Session

    machine = _machine(values, argv)

    def about() -> dict[str, Any]:
        return agreement.about_runs(wanted, machine, values.mode)

    if values.run_missing:
        before = [
            teacher
            for identity in wanted
            for teacher in execute.needed(identity)[:-1]
        ]
        opened = Session(machine, about)
        sweep.make_missing(before, machine, opened, stacked=bool(values.stack))
    else:
        for identity in wanted:
            _refuse_without_teacher(identity, values.runs_dir)
        opened = Session(machine, about)
    execute.run(wanted, opened, mode=values.mode)


def _prepare(values: flags.FlagValues, identity: RunIdentity) -> int:
    """Writes the arrays of an experiment to one portable file."""
    with _importing():
        from ls_tf.pipeline import loading

    path = values.prepared or f"{identity.experiment}.npz"
    data = identity.spec.data
    with stopping.doing("preparing data"):
        loading.prepare(
            path,
            experiment=identity.experiment,
            module=registry.get("ls_tf.data", data.name),
            splits=(data.train, data.calibrate, data.report),
            data_dir=values.data_dir,
            source=data.source,
            vocabulary_size=data.vocabulary_size,
        )
    _show(path)
    return OK


def _translate(
    values: flags.FlagValues, argv: Sequence[str], identity: RunIdentity
) -> int:
    """Translates standard input with a finished run."""
    if sys.stdin is None:
        raise SpecError(
            "--mode=translate: wanted lines of text on standard input, it is "
            "closed"
        )
    if streams.is_output_closed():
        raise streams.OutputError("it is closed")
    with _importing():
        from ls_tf.running import session, translate

    session.check(values.engine, values.strategy)
    translate.check(identity, values.runs_dir)
    opened = session.Session(_machine(values, argv))
    with stopping.doing("translating the present lines"):
        translate.run(identity, opened, translate.blocks(sys.stdin.fileno()))
    return OK


def _refuse_without_teacher(identity: RunIdentity, runs_dir: str) -> None:
    """Says that a teacher is missing before an engine is started."""
    from ls_tf.running import execute

    before = execute.needed(identity)[:-1]
    if before:
        execute.record_of(before[-1], runs_dir)


def _machine(values: flags.FlagValues, argv: Sequence[str]) -> "Machine":
    from ls_tf.running.session import Machine

    return Machine(
        runs_dir=values.runs_dir,
        data_dir=values.data_dir,
        engine=values.engine,
        strategy=values.strategy,
        logical_devices=_whole("logical_devices", values.logical_devices, 1),
        micro_batches=_whole("micro_batches", values.micro_batches, 1),
        deterministic=values.deterministic,
        worker_timeout=_whole("worker_timeout", values.worker_timeout, 1),
        command=_recorded(argv),
    )


def _recorded(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line for the record, without the paths of this machine."""
    recorded = [argv[0].replace("\\", "/").rpartition("/")[2]]
    words = iter(argv[1:])
    for word in words:
        name, equals, _ = word.lstrip("-").partition("=")
        if name not in _PATHS:
            recorded.append(word)
        elif not equals:
            next(words, None)  # the path is the next word
    return tuple(recorded)


def _make_missing(
    values: flags.FlagValues, argv: Sequence[str], wanted: list[RunIdentity]
) -> bool:
    """Trains a report's runs, or a part of them; whether all are there."""
    with _importing():
        from ls_tf.running import session, sweep

    session.check(values.engine, values.strategy)
    shard = None
    if values.shard is not None:
        shard = sweep.Shard.parse(values.shard)
        if values.strategy == "multi_worker":
            raise SpecError(
                "--shard: wanted a strategy of one process, got multi_worker"
            )
    # With JAX, runs that differ in a few numbers train together.
    return sweep.make_missing(
        wanted,
        _machine(values, argv),
        stacked=values.engine == "jax",
        shard=shard,
    )


def _report(values: flags.FlagValues, argv: Sequence[str]) -> int:
    registry.check("ls_tf.reports", values.report)
    with _importing():
        from ls_tf.pages import builder

    module = registry.get("ls_tf.reports", values.report)
    if values.run_missing and not _make_missing(
        values, argv, builder.identities(module, smoke=values.smoke)
    ):
        _say(
            f"report {values.report} is not built: runs of other shards are "
            "not finished; when they are, give the command without --shard"
        )
        return OK
    page = builder.build(
        values.report,
        module,
        runs_dir=values.runs_dir,
        reports_dir=values.reports_dir,
        smoke=values.smoke,
        readme=values.readme,
    )
    _show(page)
    return OK


def _refuse_unused(values: flags.FlagValues) -> None:
    """Refuses a flag that would silently do nothing."""
    is_report = values.report is not None
    unused = (
        ("alpha", "seed", "set", "mode", "stack")
        if is_report
        else ("readme", "shard")
    )
    for name in unused:
        if values[name].value != values[name].default:
            other = "experiment" if is_report else "report"
            raise SpecError(f"--{name} goes with --{other} only")
    if values.shard is not None and not values.run_missing:
        raise SpecError("--shard goes with --run_missing only")
    if values.prepared is not None and values.mode != "prepare":
        raise SpecError("--prepared goes with --mode=prepare only")


def _start(argv: Sequence[str]) -> int:
    values = _parse(argv)
    if values.help:
        print(
            _USAGE.format(
                experiments=", ".join(registry.names(EXPERIMENTS)),
                reports=", ".join(registry.names("ls_tf.reports")),
            )
        )
        print(values.main_module_help() or values.get_help())
        return OK
    if (values.experiment is None) == (values.report is None):
        raise SpecError(
            "wanted --experiment=NAME or --report=NAME; experiments: "
            f"{', '.join(registry.names(EXPERIMENTS))}; reports: "
            f"{', '.join(registry.names('ls_tf.reports'))}"
        )
    if values.mode not in MODES:
        raise SpecError(
            f"no mode '{values.mode}'; {nearest(values.mode, MODES)}"
        )
    for name in ("logical_devices", "micro_batches", "worker_timeout"):
        _whole(name, str(values[name].value), 1)
    _refuse_unused(values)
    for line in surroundings.settle():
        _say(line)
    if values.report is not None:
        return _report(values, argv)
    return _experiment(values, argv)


def _bad_input() -> tuple[type[Exception], ...]:
    """The errors that say in one line what a person must change."""
    kinds: list[type[Exception]] = [SpecError]
    # Only modules that are loaded can have raised their error.
    for module, name in (
        ("ls_tf.records.runs", "RunError"),
        ("ls_tf.pipeline.contract", "DataError"),
        ("ls_tf.training.checkpoints", "CheckpointError"),
        ("ls_tf.pages.blocks", "ReportError"),
    ):
        if module in sys.modules:
            kinds.append(getattr(sys.modules[module], name))
    return tuple(kinds)


def _ended(error: BaseException) -> int | None:
    """The exit code of an error that ends with one line; None for a bug."""
    if isinstance(error, _bad_input()):
        _say(str(error))
        return BAD_INPUT
    if isinstance(error, peers.PeerError):
        _say(f"{error}; the last checkpoint is intact")
        return LOST
    if isinstance(error, stopping.StoppedError):
        stopping.answer()
        _say("stopped; the state is saved and the same command resumes")
        return STOPPED
    if isinstance(error, streams.OutputError):
        if error.has_no_reader:
            return OK
        _say(f"{error}; what is recorded is kept")
        return NO_SPACE
    execute = sys.modules.get("ls_tf.running.execute")
    if execute is not None and isinstance(error, execute.NonFiniteLossError):
        _say(str(error))
        return NOT_FINITE
    if isinstance(error, OSError) and error.errno in (*_NO_SPACE, *_NO_DISK):
        is_full = error.errno in _NO_SPACE
        what = "no space left" if is_full else "the disk failed"
        # What a write raises names no file.
        named = "" if error.filename is None else f": {error.filename}"
        _say(
            f"{what} ({error.strerror}){named}; the checkpoint before is "
            "intact, the same command resumes from it"
        )
        return NO_SPACE
    return None


def _take_leave(
    argv: Sequence[str], error: BaseException | None, code: int | None
) -> None:
    """Lets no other process of a run wait for this one."""
    reason = " ".join(str(error or "").split())
    if code == STOPPED:
        reason = "stopped by a signal"
    elif error is not None and (code is None or not reason):
        reason = f"{type(error).__name__} {reason}".strip()
    if peers.has_met():
        peers.leave(reason)
        if code == LOST:
            # An engine would wait for the lost one to take its leave of it.
            os._exit(code)
    elif code == BAD_INPUT and any("multi" in word for word in argv):
        from ls_tf.training import strategy

        with contextlib.suppress(SpecError):
            place = strategy.place()
            peers.tell_absence(*place, reason, peers.REFUSED_SECONDS)


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
