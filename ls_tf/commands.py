"""What the flags start: training, reports and what goes with them.

Heavy modules are imported inside functions, so that ``--mode=print`` answers at
once.
"""

import contextlib
import json
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ls_tf import arguments, started, stopping, streams
from ls_tf.arguments import Flags
from ls_tf.exit_codes import OK
from ls_tf.running import meeting, stack
from ls_tf.running.machine import Machine
from ls_tf.running.places import Place
from ls_tf.spec import SpecError, as_dict, registry
from ls_tf.spec.resolve import RunIdentity

if TYPE_CHECKING:
    from ls_tf.launchers.choice import Choice


def say(message: str) -> None:
    """Says a message of any form in one line on standard error."""
    streams.say(" ".join(message.split()))


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
        say(line)
    return found


def _recorded(values: Flags) -> RunIdentity:
    """The run of a folder; the flags' folder of runs is then its own."""
    with importing():
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
            checking.check(identity, machine_of(values, argv))
        checking.check_data(wanted, values.data_dir, trains=False)


def _check_data(values: Flags, wanted: Sequence[RunIdentity]) -> None:
    """Refuses data of the user's own that training could not use."""
    with importing():
        from ls_tf.running import checking, execute

    every = wanted
    if values.run_missing:
        every = [run for identity in wanted for run in execute.needed(identity)]
    checking.check_data(every, values.data_dir)


def importing() -> contextlib.AbstractContextManager[None]:
    """While modules of the program are imported, a stop waits for them."""
    return stopping.importing("the program")


def experiment(values: Flags, argv: Sequence[str]) -> int:
    """Does what the mode says with the runs that the flags mean.

    Args:
        values: the flags.
        argv: the program's name and the words that gave them.

    Returns:
        int: the exit code.
    """
    identities = _identities(values)
    if values.mode == "print":
        with importing():
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
    with importing():
        from ls_tf.records import outcome, runs
        from ls_tf.running import session

    place = session.check(machine_of(values, argv))
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
            say(f"run {identity.title} is finished already: {said}")
            runs.tidy(values.runs_dir, identity)
        else:
            wanted.append(identity)
    if wanted:
        if place.count == 1:  # Others would wait for one that has no data.
            _check_data(values, wanted)
        _train(values, argv, wanted)
    else:
        _say_finished(place, identities)
    for identity in wanted if place.index == 0 else ():
        record = runs.find(values.runs_dir, identity)
        if record is not None:  # with --mode=train nothing is measured
            say(f"{identity.title}: {outcome.sentence(record)}")
    for identity in identities:
        show(runs.Path(values.runs_dir) / identity.folder)
    return OK


def _show_results(values: Flags, identities: Sequence[RunIdentity]) -> int:
    """Prints what came of the runs that are meant, or of all there are."""
    with importing():
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
            f"{values.runs_dir}; make it with: {started.command(flags)}"
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
    with importing():
        from ls_tf.launchers import choice, jobs
        from ls_tf.records.runs import Path

    wanted = jobs.of(identities)
    if values.stack:
        folders = {identity.folder for identity in identities}
        wanted = [j for j in wanted if j.runs[0].folder not in folders]
        flags = tuple(arguments.of_runs(values))
        wanted.append(jobs.Job(tuple(identities), flags))
    machine = machine_of(values, argv)
    program = started.after_interpreter(argv[0])
    choice.carry_out(launcher, wanted, machine, program)
    for identity in identities:
        show(Path(values.runs_dir) / identity.folder)
    return OK


def show(path: object) -> None:
    """Prints where something is; who closed the output need not know."""
    if not streams.is_output_closed():
        print(path)


def _say_finished(place: Place, identities: Sequence[RunIdentity]) -> None:
    """Lets no other process wait for one that has nothing to do."""
    if place.count > 1:
        reason = f"run {identities[0].title} is finished already"
        meeting.tell_absence(place, reason, meeting.IDLE_SECONDS)


def _train(
    values: Flags, argv: Sequence[str], wanted: list[RunIdentity]
) -> None:
    with importing():
        from ls_tf.running import agreement, execute, sweep
        from ls_tf.running.session import Session

    machine = machine_of(values, argv)

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
    with importing():
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
    show(path)
    return OK


def _bundle(values: Flags, wanted: Sequence[RunIdentity], name: str) -> int:
    """Packs what some runs need into one file."""
    with importing():
        from ls_tf.bundles import making

    path = values.bundle or f"{name}.zip"
    titles = making.bundle(
        path, wanted, runs_dir=values.runs_dir, data_dir=values.data_dir
    )
    runs = "1 run" if len(titles) == 1 else f"{len(titles)} runs"
    back = started.command(["--mode=merge", "--from=FOLDER"])
    say(
        f"bundle of {runs}; there: python {path} FOLDER, then FOLDER/run; "
        f"back here: {back}"
    )
    show(path)
    return OK


def merge(values: Flags) -> int:
    """Takes records that were made elsewhere into the runs folder."""
    if values["from"].value is None:
        raise SpecError("--mode=merge: wanted --from=FOLDER with records")
    with importing():
        from ls_tf.bundles import merging
        from ls_tf.records.runs import Path

    for folder in merging.merge(values["from"].value, values.runs_dir):
        show(Path(values.runs_dir) / folder)
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
    with importing():
        from ls_tf.running import session, translate

    machine = machine_of(values, argv)
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


def machine_of(values: Flags, argv: Sequence[str]) -> Machine:
    """Where the flags say that runs are trained.

    Raises:
        SpecError: a flag of the machine is no number where one is wanted.
    """
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
) -> bool:
    """Trains a report's runs; says whether there was one to train."""
    with importing():
        from ls_tf.launchers import choice, jobs
        from ls_tf.running import session, sweep

    machine = machine_of(values, argv)
    place = session.check(machine)
    launcher = _launcher(values, place)
    if sweep.is_finished(wanted, values.runs_dir):
        return False
    if not launcher.is_here:
        program = started.after_interpreter(argv[0])
        choice.carry_out(launcher, jobs.of(wanted), machine, program)
        return True
    # With JAX, runs that differ in a few numbers train together.
    sweep.make_missing(
        wanted,
        machine,
        stacked=values.engine == "jax" and place.count == 1,
    )
    return True


def _all_reports(values: Flags) -> int:
    """Writes the tables of a document, or the pages there are records for."""
    with importing():
        from ls_tf.pages import builder, documents

    if values.readme is not None:
        documents.write(values.readme, documents.Tables(values.runs_dir))
        show(values.readme)
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
            say(str(error))
        else:
            show(page)
    return OK


def report(values: Flags, argv: Sequence[str]) -> int:
    """Builds a report, all of them, or the bundle of its runs.

    Args:
        values: the flags.
        argv: the program's name and the words that gave them.

    Returns:
        int: the exit code.
    """
    if values.report == arguments.ALL:
        return _all_reports(values)
    registry.check("ls_tf.reports", values.report)
    with importing():
        from ls_tf.pages import builder

    module: builder.Report | ModuleType = registry.get(
        "ls_tf.reports", values.report
    )
    if values.report == arguments.COMPARE:
        with importing():
            from ls_tf.running import comparing

        if values.runs is not None:
            page = comparing.build(
                values.runs.split(","),
                reports_dir=values.reports_dir,
                svg=values.svg,
            )
            show(page)
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
        if not _make_missing(values, argv, wanted):
            from ls_tf.pages import lacking

            where, smoke = values.runs_dir, values.smoke
            say(lacking.sentence(values.report, module, where, smoke=smoke))
    page = builder.build(
        values.report,
        module,
        runs_dir=values.runs_dir,
        reports_dir=values.reports_dir,
        smoke=values.smoke,
        readme=values.readme,
        svg=values.svg,
    )
    show(page)
    return OK
