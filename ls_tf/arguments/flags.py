"""Which flags there are, and how a command line gives them."""

import os
import textwrap
from collections.abc import Sequence

from absl import flags

from ls_tf import exit_codes, flagfiles, started
from ls_tf.spec import SpecError

Flags = flags.FlagValues

MODES = (
    *("train_and_eval", "train", "eval", "print", "prepare", "translate"),
    *("bundle", "merge", "show"),
)
# Flags that say where things lie on this machine and not what is run.
PATHS = (
    *("runs_dir", "reports_dir", "data_dir", "readme", "prepared"),
    *("bundle", "from", "runs", "run"),
)
ALL = "all"  # in the place of a report's name
COMPARE = "compare"  # the report whose runs the flags choose
_ARRAYS = (
    ".npz with logits (or probabilities) and labels, perhaps features, weights "
    "and bias of the last layer, of a network trained on hard labels"
)

_USAGE = """\
Trains and measures the experiments of the label-smoothing study, and rebuilds
its tables and figures from recorded runs.

  {program} --experiment=NAME [--alpha=A] [--seed=K]
  {program} --report=NAME [--run_missing [--launcher=WHERE]]
  {program} --report=compare --experiment=NAME --vary=alpha:0,.1
  {program} --report=compare --runs=FOLDER,FOLDER
  {program} --report=all [--readme=FILE]
  {program} --experiment=NAME --mode=translate <IN >OUT
  {program} --experiment=NAME --mode=show
  {program} --run=FOLDER --mode=eval|translate|show
  {program} --list
  {program} analyze --hard=A.npz --smoothed=B.npz [--out=DIR]
  {program} --report=NAME --mode=bundle --bundle=FILE
  {program} --mode=merge --from=FOLDER

experiments: {experiments}
reports: {reports}

{exit_codes}
"""


def usage(experiments: Sequence[str], reports: Sequence[str]) -> str:
    """What ``--help`` says before the flags.

    Args:
        experiments: the names of all.
        reports: the names of all.
    """
    codes = (f"{code} {text}" for code, text in exit_codes.MEANINGS.items())
    return _USAGE.format(
        program=" ".join(started.words()),
        experiments=", ".join(experiments),
        reports=", ".join(reports),
        exit_codes=textwrap.fill(
            f"exit codes: {'; '.join(codes)}.", 80, break_on_hyphens=False
        ),
    )


def usage_of_analyze(values: Flags) -> str:
    """What ``analyze --help`` says.

    Args:
        values: as ``read_analyze`` gives them.
    """
    flags_alone = values.module_help(__name__)
    return (
        "Says what label smoothing did to a network, and whether it may teach, "
        "from arrays.\n\n"
        f"  {started.command(['analyze', '--hard=A.npz'])} "
        f"[--smoothed=B.npz] [--out=DIR]\n{flags_alone}"
    )


def _of_runs(values: Flags) -> None:
    """What is run."""
    text = flags.DEFINE_string
    text("experiment", None, "train and measure it", flag_values=values)
    text(
        "report",
        None,
        f"rebuild a table or figure, or {ALL}",
        flag_values=values,
    )
    text("alpha", None, "label smoothing, 0 to 1", flag_values=values)
    text("seed", None, "the run's seed", flag_values=values)
    flags.DEFINE_multi_string(
        "set",
        [],
        "PATH=VALUE: any other field of the specification; may be repeated",
        flag_values=values,
    )
    text(
        "run",
        None,
        "with --mode=eval, translate or show: FOLDER of a recorded run, in "
        "place of --experiment and all that says which run is meant",
        flag_values=values,
    )


def _of_places(values: Flags) -> None:
    """What is done with it, and where things lie."""
    text = flags.DEFINE_string
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
    text(
        "bundle",
        None,
        "with --mode=bundle: the file to write, for a machine without a "
        "network and TensorFlow; default: NAME.zip",
        flag_values=values,
    )
    text(
        "from",
        None,
        "with --mode=merge: an unpacked bundle, or another folder with "
        "records, which are taken into --runs_dir",
        flag_values=values,
    )


def _of_devices(values: Flags) -> None:
    """The engine and its devices."""
    text = flags.DEFINE_string
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
        "tpu",
        None,
        "with --strategy=tpu and TensorFlow: local (of this host) or the name "
        "of a Cloud TPU; default: TPU_NAME, else local; not run on a TPU",
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


def _of_processes(values: Flags) -> None:
    """Several processes, limits of time, and what is kept."""
    text = flags.DEFINE_string
    text(
        "worker_timeout",
        "600",
        "seconds to wait for the other processes of --strategy=multi_worker",
        flag_values=values,
    )
    text(
        "coordinator",
        None,
        "HOST:PORT of process 0, for --engine=jax --strategy=multi_worker; "
        "without it TF_CONFIG or the cluster (Slurm, Cloud TPU) says it",
        flag_values=values,
    )
    text(
        "processes",
        None,
        "with --coordinator: how many processes there are",
        flag_values=values,
    )
    text(
        "process",
        None,
        "with --coordinator: which one this is, from 0; that one writes",
        flag_values=values,
    )
    text(
        "time_limit",
        None,
        "minutes, such as 30 or 0.5: then save, say how to go on and end with "
        "exit code 3",
        flag_values=values,
    )
    text(
        "compile_cache",
        None,
        "with --engine=jax: folder in which compiled programs are kept for "
        "later runs, or off; default: ls_tf in the user's cache folder",
        flag_values=values,
    )


def _of_work(values: Flags) -> None:
    """How and where it is trained."""
    text, on = flags.DEFINE_string, flags.DEFINE_bool
    on("deterministic", False, "deterministic operations", flag_values=values)
    on("smoke", False, "shrink the run to seconds", flag_values=values)
    on(
        "run_missing",
        False,
        "first train the runs that a report or a student needs",
        flag_values=values,
    )
    text(
        "launcher",
        "here",
        "with --run_missing: where the runs are trained: here (in this "
        "process, one after the other), local (all devices of this machine, "
        "one run a device), slurm or ray; a run that another process holds is "
        "waited for",
        flag_values=values,
    )
    text(
        "jobs",
        None,
        "with --launcher: the most jobs at once; default: local one a device "
        "(of CPUs there is one), slurm and ray all",
        flag_values=values,
    )
    text(
        "retries",
        "2",
        "with --launcher: how often a job that failed is tried again",
        flag_values=values,
    )
    text(
        "slurm",
        None,
        "with --launcher=slurm: KEY=VALUE,... of a job, such as "
        "partition=gpu,gpus_per_node=1,timeout_min=240",
        flag_values=values,
    )
    text(
        "ray",
        None,
        "with --launcher=ray: ADDRESS or auto, and of a job num_cpus=N and "
        "num_gpus=N, behind commas",
        flag_values=values,
    )


def _of_reports(values: Flags) -> None:
    """Pages, and what is only said."""
    text, on = flags.DEFINE_string, flags.DEFINE_bool
    text(
        "readme",
        None,
        "with --report: also write its table into this file, between the "
        f"report's two marker lines; with --report={ALL}: write all tables "
        "that stand in this file, and no page",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "vary",
        [],
        "with --report=compare --experiment=NAME: FIELD:VALUE,... or "
        "FIELD:FIRST..LAST, the rows of the page; several multiply, seeds are "
        "averaged; --set is of all rows",
        flag_values=values,
    )
    text(
        "runs",
        None,
        "with --report=compare: FOLDER,... of finished runs, or of their "
        "seeds, side by side; nothing is trained",
        flag_values=values,
    )
    on("svg", False, "with --report: figures as SVG too", flag_values=values)
    on("help", False, "show this", short_name="h", flag_values=values)
    on("list", False, "say what each name stands for", flag_values=values)
    on("version", False, "say which version this is", flag_values=values)


def _define() -> Flags:
    values = flags.FlagValues()  # type: ignore[no-untyped-call]
    for define in (
        *(_of_runs, _of_places, _of_devices),
        *(_of_processes, _of_work, _of_reports),
    ):
        define(values)
    return values


def read(argv: Sequence[str]) -> Flags:
    """Reads a command line, and the files of flags that it names.

    Args:
        argv: the program's name and the flags.

    Returns:
        The flags' values, as text but for the switches.

    Raises:
        SpecError: an unknown flag, no flag or a bad file; one line.

    Source: ours.
    """
    values = _define()
    _take(values, [*argv[:1], *flagfiles.expanded(argv[1:])])
    for name in PATHS:
        # A shell leaves a ~ behind a flag's = as it is.
        if (path := values[name].value) is not None:
            each = map(os.path.expanduser, path.split(","))  # --runs=A,B
            values[name].value = ",".join(each)
    return values


def _take(values: Flags, words: Sequence[str]) -> None:
    """Takes the flags of a command line.

    Raises:
        SpecError: an unknown flag, or a word that is no flag; one line.
    """
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


def read_analyze(argv: Sequence[str]) -> Flags:
    """Reads what follows ``analyze``.

    Args:
        argv: the program's name and the flags, without the word.

    Returns:
        The flags' values, as text.

    Raises:
        SpecError: an unknown flag or none that names a file; one line.

    Source: ours.
    """
    values = flags.FlagValues()  # type: ignore[no-untyped-call]
    for name, default, help_ in (
        ("hard", None, _ARRAYS),
        ("smoothed", None, "the same, trained on smoothed labels"),
        ("out", "analysis", "the folder of the page, its table and pictures"),
        ("classes", None, "K,L,M: three classes, for the projection"),
        ("order", None, "of the weights where D = K, see docs/library.md"),
        ("resamples", "200", "how often the examples are drawn again"),
        ("seed", "0", "of the draws"),
    ):
        flags.DEFINE_string(name, default, help_, flag_values=values)
    flags.DEFINE_bool(
        "help", False, "show this", short_name="h", flag_values=values
    )
    _take(values, argv)
    if not values.help and values.hard is None and values.smoothed is None:
        raise SpecError(
            "analyze: wanted --hard=FILE.npz, --smoothed=FILE.npz or both"
        )
    return values
