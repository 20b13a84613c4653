"""What the flags start, and how it ends.

Flags end here; library code takes arguments. Heavy modules are imported inside
functions, so that ``--help`` and ``--mode=print`` answer at once.
"""

import contextlib
import errno
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ls_tf import __version__, arguments, extras, stopping, streams
from ls_tf.arguments import Flags
from ls_tf.running import peers, places, stack, surroundings
from ls_tf.running.machine import Machine
from ls_tf.running.places import Place
from ls_tf.spec import SpecError, as_dict, nearest, parse, registry
from ls_tf.spec.resolve import EXPERIMENTS, RunIdentity
from ls_tf.training import device_errors

if TYPE_CHECKING:
    from ls_tf.launchers.choice import Choice

OK, BAD_INPUT, STOPPED, NOT_FINITE, NO_SPACE = 0, 2, stopping.EXIT_CODE, 4, 5
LOST = peers.EXIT_CODE
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A disk that fails, becomes read-only, or is gone.
_NO_DISK = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ESTALE, errno.ENOTCONN)


def _say(message: str) -> None:
    print(f"ls_tf: {' '.join(message.split())}", file=sys.stderr)


def _identities(values: Flags) -> list[RunIdentity]:
    """The run that the flags mean, or the runs of a stack."""
    if values.run is not None:
        return [_recorded(values)]
    found = stack.identities(
        values.experiment,
        stack.parse(values.stack),
        changed=arguments.changes(values),
        seed=_seed(values),
        smoke=values.smoke,
    )
    for line in stack.dropped(found):
        _say(line)
    return found


def _recorded(values: Flags) -> RunIdentity:
    """The run of a folder; the flags' folder of runs is then its own."""
    with _importing():
        from ls_tf.running import recorded

    found = recorded.of_folder(values.run)
    recorded.refuse_other(
        found,
        experiment=values.experiment,
        changed=arguments.changes(values),
        seed=_seed(values),
        smoke=values.smoke if values["smoke"].present else None,
    )
    if values["runs_dir"].present and values.runs_dir != found.runs_dir:
        raise SpecError(
            f"--run={values.run}: wanted no --runs_dir, or "
            f"{found.runs_dir}, got {values.runs_dir}"
        )
    values["runs_dir"].value = found.runs_dir
    return found.identity


def _seed(values: Flags) -> int | None:
    return arguments.whole_or_none(values, "seed", 0)


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


def _check(
    values: Flags, argv: Sequence[str], wanted: Sequence[RunIdentity]
) -> None:
    """Refuses what the training would refuse; only what has changes."""
    if any(identity.changes for identity in wanted):
        from ls_tf.running import checking

        for identity in wanted:
            checking.check(identity, _machine(values, argv))


def _importing() -> contextlib.AbstractContextManager[None]:
    return stopping.importing("the program")


def _experiment(values: Flags, argv: Sequence[str]) -> int:
    identities = _identities(values)
    if values.mode == "print":
        with _importing():
            _check(values, argv, identities)
        for identity in identities:
            _print(identity)
        return OK
    if values.mode == "prepare":
        return _prepare(values, identities[0])
    if values.mode == "bundle":
        return _bundle(values, identities, values.experiment)
    if values.mode == "translate":
        return _translate(values, argv, identities[0])
    if values.mode == "show":
        return _show_results(values, identities)
    with _importing():
        from ls_tf.records import outcome, runs
        from ls_tf.running import session

    place = session.check(_machine(values, argv))
    stack.check(identities, values.engine, place.count)
    launcher = _launcher(values, place)
    if not launcher.is_here:
        return _launch_experiment(launcher, values, argv, identities)
    wanted = []
    for identity in identities:
        runs.refuse(values.runs_dir, identity, is_writer=place.index == 0)
        record = runs.find(values.runs_dir, identity)
        if values.mode != "eval" and record is not None:
            record.check()
            said = outcome.sentence(record)
            _say(f"run {identity.title} is finished already: {said}")
            runs.tidy(values.runs_dir, identity)
        else:
            wanted.append(identity)
    if wanted:
        _train(values, argv, wanted)
    else:
        _say_finished(place, identities)
    for identity in wanted if place.index == 0 else ():
        record = runs.find(values.runs_dir, identity)
        if record is not None:  # with --mode=train nothing is measured
            _say(f"{identity.title}: {outcome.sentence(record)}")
    for identity in identities:
        _show(runs.Path(values.runs_dir) / identity.folder)
    return OK


def _show_results(values: Flags, identities: Sequence[RunIdentity]) -> int:
    """Prints what came of the runs that are meant, or of all there are."""
    with _importing():
        from ls_tf.records import outcome, record, runs

    flags = arguments.of_runs(values)
    if values.run is not None or flags != [f"--experiment={values.experiment}"]:
        wanted = [runs.find(values.runs_dir, i) for i in identities]
    else:
        folder = runs.Path(values.runs_dir) / values.experiment
        files = sorted(folder.glob("*/seed=*/run.json"))
        wanted = [record.read_record(file.parent) for file in files]
    finished = [r for r in wanted if r is not None and r.is_finished]
    if not finished and values.run is not None:
        raise runs.RunError(f"--run={values.run}: the run is not finished")
    if not finished:
        raise runs.RunError(
            f"no finished run of {values.experiment} like that in "
            f"{values.runs_dir}; make it with: python run_experiment.py "
            f"{' '.join(flags)}"
        )
    for found in finished:
        print(f"{found.path}: {outcome.sentence(found)}")
    return OK


def _launch_experiment(
    launcher: "Choice",
    values: Flags,
    argv: Sequence[str],
    identities: list[RunIdentity],
) -> int:
    """Trains a run, or the runs of a stack as one job, after their teachers."""
    with _importing():
        from ls_tf.launchers import choice, jobs
        from ls_tf.records.runs import Path

    wanted = jobs.of(identities)
    if values.stack:
        folders = {identity.folder for identity in identities}
        wanted = [j for j in wanted if j.runs[0].folder not in folders]
        flags = tuple(arguments.of_runs(values))
        wanted.append(jobs.Job(tuple(identities), flags))
    machine, program = _machine(values, argv), jobs.program(argv[0])
    choice.carry_out(launcher, wanted, machine, program)
    for identity in identities:
        _show(Path(values.runs_dir) / identity.folder)
    return OK


def _show(path: object) -> None:
    """Prints where something is; who closed the output need not know."""
    if not streams.is_output_closed():
        print(path)


def _say_finished(place: Place, identities: Sequence[RunIdentity]) -> None:
    """Lets no other process wait for one that has nothing to do."""
    if place.count > 1:
        reason = f"run {identities[0].title} is finished already"
        peers.tell_absence(place, reason, peers.IDLE_SECONDS)


def _train(
    values: Flags, argv: Sequence[str], wanted: list[RunIdentity]
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


def _prepare(values: Flags, identity: RunIdentity) -> int:
    """Writes the arrays of an experiment to one portable file."""
    with _importing():
        from ls_tf.pipeline import loading, own

    path = values.prepared or f"{identity.experiment}.npz"
    data = identity.spec.data
    with stopping.doing("preparing data"):
        loading.prepare(
            path,
            experiment=identity.experiment,
            module=own.of(data, values.data_dir),
            splits=(data.train, data.calibrate, data.report),
            data_dir=values.data_dir,
            source=data.source,
            vocabulary_size=data.vocabulary_size,
        )
    _show(path)
    return OK


def _bundle(values: Flags, wanted: Sequence[RunIdentity], name: str) -> int:
    """Packs what some runs need into one file."""
    with _importing():
        from ls_tf.bundles import making

    path = values.bundle or f"{name}.zip"
    titles = making.bundle(
        path, wanted, runs_dir=values.runs_dir, data_dir=values.data_dir
    )
    _say(f"bundle of {len(titles)} runs; unpack it with: python {path} FOLDER")
    _show(path)
    return OK


def _merge(values: Flags) -> int:
    """Takes records that were made elsewhere into the runs folder."""
    if values["from"].value is None:
        raise SpecError("--mode=merge: wanted --from=FOLDER with records")
    with _importing():
        from ls_tf.bundles import merging
        from ls_tf.records.runs import Path

    for folder in merging.merge(values["from"].value, values.runs_dir):
        _show(Path(values.runs_dir) / folder)
    return OK


def _translate(
    values: Flags, argv: Sequence[str], identity: RunIdentity
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

    machine = _machine(values, argv)
    session.check(machine)
    translate.check(identity, values.runs_dir)
    opened = session.Session(machine)
    with stopping.doing("translating the present lines"):
        translate.run(identity, opened, translate.blocks(sys.stdin.fileno()))
    return OK


def _refuse_without_teacher(identity: RunIdentity, runs_dir: str) -> None:
    """Says that a teacher is missing before an engine is started."""
    from ls_tf.running import execute

    before = execute.needed(identity)[:-1]
    if before:
        execute.record_of(before[-1], runs_dir)


def _machine(values: Flags, argv: Sequence[str]) -> Machine:
    return Machine(
        runs_dir=values.runs_dir,
        data_dir=values.data_dir,
        engine=values.engine,
        strategy=values.strategy,
        tpu=values.tpu,
        logical_devices=arguments.whole(values, "logical_devices", 1),
        micro_batches=arguments.whole(values, "micro_batches", 1),
        deterministic=values.deterministic,
        compile_cache=values.compile_cache,
        worker_timeout=arguments.whole(values, "worker_timeout", 1),
        coordinator=values.coordinator,
        processes=arguments.whole_or_none(values, "processes", 1),
        process=arguments.whole_or_none(values, "process", 0),
        command=arguments.recorded(argv),
    )


def _launcher(values: Flags, place: Place) -> "Choice":
    """Where missing runs are trained."""
    from ls_tf.launchers import choice

    chosen = choice.choose(
        values.launcher,
        most=arguments.whole_or_none(values, "jobs", 1),
        retries=arguments.whole(values, "retries", 0),
        slurm=values.slurm,
        ray=values.ray,
    )
    is_alone = values.strategy != "multi_worker" and place.count == 1
    if not (chosen.is_here or is_alone):
        raise SpecError(
            "--launcher: wanted a strategy of one process, got "
            f"{values.strategy}"
        )
    return chosen


def _make_missing(
    values: Flags, argv: Sequence[str], wanted: list[RunIdentity]
) -> None:
    """Trains a report's runs."""
    with _importing():
        from ls_tf.launchers import choice, jobs
        from ls_tf.running import session, sweep

    machine = _machine(values, argv)
    place = session.check(machine)
    launcher = _launcher(values, place)
    if not launcher.is_here:
        program = jobs.program(argv[0])
        choice.carry_out(launcher, jobs.of(wanted), machine, program)
        return
    # With JAX, runs that differ in a few numbers train together.
    sweep.make_missing(
        wanted,
        machine,
        stacked=values.engine == "jax" and place.count == 1,
    )


def _all_reports(values: Flags) -> int:
    """Writes the tables of a document, or the pages there are records for."""
    with _importing():
        from ls_tf.pages import builder, documents

    if values.readme is not None:
        documents.write(values.readme, documents.Tables(values.runs_dir))
        _show(values.readme)
        return OK
    for name in registry.names("ls_tf.reports"):
        try:
            page = builder.build(
                name,
                registry.get("ls_tf.reports", name),
                runs_dir=values.runs_dir,
                reports_dir=values.reports_dir,
                svg=values.svg,
            )
        except builder.MissingRunsError as error:
            _say(str(error))
        else:
            _show(page)
    return OK


def _report(values: Flags, argv: Sequence[str]) -> int:
    if values.report == arguments.ALL:
        return _all_reports(values)
    registry.check("ls_tf.reports", values.report)
    with _importing():
        from ls_tf.pages import builder

    module: builder.Report | ModuleType = registry.get(
        "ls_tf.reports", values.report
    )
    if values.report == arguments.COMPARE:
        with _importing():
            from ls_tf.running import comparing

        if values.runs is not None:
            page = comparing.build(
                values.runs.split(","),
                reports_dir=values.reports_dir,
                svg=values.svg,
            )
            _show(page)
            return OK
        if values.experiment is not None:
            module = comparing.of_experiment(
                values.experiment,
                values.vary,
                changed=arguments.changes(values),
                seed=_seed(values),
                smoke=values.smoke,
            )
    if values.mode == "bundle":
        wanted = builder.identities(module, smoke=values.smoke)
        return _bundle(values, wanted, values.report)
    if values.run_missing:
        wanted = builder.identities(module, smoke=values.smoke)
        _make_missing(values, argv, wanted)
    page = builder.build(
        values.report,
        module,
        runs_dir=values.runs_dir,
        reports_dir=values.reports_dir,
        smoke=values.smoke,
        readme=values.readme,
        svg=values.svg,
    )
    _show(page)
    return OK


def _analyze(argv: Sequence[str]) -> int:
    """Gives a verdict on arrays of one or two networks."""
    values = arguments.read_analyze([argv[0], *argv[2:]])
    if values.help:
        print(values.main_module_help() or values.get_help())
        return OK
    classes = None
    if values.classes is not None:
        words = values.classes.split(",")
        classes = [parse(word, int, "--classes") for word in words]
    resamples = arguments.whole(values, "resamples", 10)
    seed = arguments.whole(values, "seed", 0)
    with _importing():
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
    _show(found)
    _show(found.page)
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
            arguments.USAGE.format(
                experiments=", ".join(registry.names(EXPERIMENTS)),
                reports=", ".join(registry.names("ls_tf.reports")),
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
        return _merge(values)
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
        stopping.limit(60 * minutes, arguments.command(argv))
    if values.mode not in ("print", "show"):
        arguments.check_data_dir(values)
    for told in surroundings.settle():
        _say(told)
    stopping.look()
    if values.report is not None:
        return _report(values, argv)
    return _experiment(values, argv)


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
        _say(str(error))
        return BAD_INPUT
    if isinstance(error, peers.PeerError):
        _say(f"{error}; the last checkpoint is intact")
        return LOST
    launching = sys.modules.get("ls_tf.launchers.jobs")
    if launching is not None and isinstance(error, launching.LaunchError):
        _say(str(error))
        return int(error.code)
    if isinstance(error, stopping.StoppedError):
        stopping.answer()
        _say(stopping.farewell())
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
    if (library := extras.missing(error)) is not None:
        _say(extras.wanted("this", library))
        return BAD_INPUT
    if (advice := device_errors.advice(error)) is not None:
        _say(advice)
        return BAD_INPUT
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
                peers.tell_absence(place, reason, peers.REFUSED_SECONDS)


def _place(argv: Sequence[str]) -> Place:
    """The place of a process whose command line may be wrong.

    Raises:
        SpecError: it is wrong in what concerns the place too.
    """
    try:
        values = arguments.read(argv)
    except SpecError:  # some flag is unknown
        return places.of(Machine(strategy="multi_worker"))
    return places.of(_machine(values, argv))


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
