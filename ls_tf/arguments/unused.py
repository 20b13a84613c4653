"""Flags that would silently do nothing beside the others are refused."""

from ls_tf.arguments.flags import ALL, COMPARE, MODES, Flags
from ls_tf.spec import SpecError

# What is done to a run that is there already.
_OF_RECORDED = ("eval", "translate", "show")
# Folders are those of the machine, as a flagfile of it names them for all.
_OF_MERGE = ("mode", "from", "runs_dir", "reports_dir", "data_dir")


def refuse_unused(values: Flags) -> None:
    """Refuses a flag that would silently do nothing."""
    if values.mode == "merge":
        _refuse_unused_of_merge(values)
    is_report = values.report is not None
    compares = values.report == COMPARE
    unused = (
        ("alpha", "seed", "set", "mode", "stack")
        if is_report
        else ("readme", "svg")
    )
    if values.run is not None:
        _refuse_unused_of_recorded(values)
    if compares:
        _refuse_unused_of_compare(values)
        unused = ("mode", "stack")
    for name in ("vary", "runs"):
        if not compares and values[name].value != values[name].default:
            raise SpecError(f"--{name} goes with --report={COMPARE} only")
    for name in unused:
        if name == "mode" and values.mode == "bundle":
            continue
        if values[name].value != values[name].default:
            other = "experiment" if is_report else "report"
            raise SpecError(f"--{name} goes with --{other} only")
    if values.report == ALL:
        for name in ("run_missing", "smoke", "mode"):
            if values[name].value != values[name].default:
                raise SpecError(f"--{name} goes with one report at a time")
    if values.launcher != "here":
        if not values.run_missing:
            raise SpecError(
                "--launcher goes with --run_missing only, which trains several"
            )
        if values.mode != MODES[0]:
            raise SpecError(
                f"--launcher wants --mode={MODES[0]}, got {values.mode}"
            )
    else:
        for name in ("jobs", "retries", "slurm", "ray"):
            if values[name].value != values[name].default:
                raise SpecError(f"--{name} goes with --launcher only")
    for name, mode in (
        ("prepared", "prepare"),
        ("bundle", "bundle"),
        ("from", "merge"),
    ):
        if values[name].value is not None and values.mode != mode:
            raise SpecError(f"--{name} goes with --mode={mode} only")


def _refuse_unused_of_compare(values: Flags) -> None:
    """Refuses what does not say which runs are compared, or says it twice."""
    chosen = ("vary", "alpha", "seed", "set")
    others = ("experiment", *chosen, "smoke", "run_missing", "readme")
    wrong: tuple[str, ...] = ()
    words = "goes without --runs"
    if values.runs is not None:
        wrong = (*others, "mode")
    elif values.experiment is None:
        wrong, words = chosen, "goes with --experiment=NAME"
    for name in wrong:
        if values[name].value != values[name].default:
            raise SpecError(f"--report={COMPARE}: --{name} {words}")


def _refuse_unused_of_merge(values: Flags) -> None:
    """Refuses what would seem to choose among the records, or to train."""
    for name in values:
        if name in _OF_MERGE or values[name].value == values[name].default:
            continue
        raise SpecError(
            f"--mode=merge takes all records below --from; --{name} goes "
            "without it"
        )


def _refuse_unused_of_recorded(values: Flags) -> None:
    """Refuses what a run that is there already has no use for."""
    if values.mode not in _OF_RECORDED:
        raise SpecError(
            f"--run goes with --mode={', '.join(_OF_RECORDED)}, got "
            f"--mode={values.mode}"
        )
    for name in ("report", "stack", "run_missing"):
        if values[name].value != values[name].default:
            raise SpecError(f"--{name} goes without --run")
