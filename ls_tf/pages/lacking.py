"""What a page lacks although all is there that ``--run_missing`` trains."""

from collections.abc import Collection
from types import ModuleType

from ls_tf.pages import tables
from ls_tf.pages.builder import Report
from ls_tf.records import runs
from ls_tf.spec.resolve import Resolver, RunIdentity


def sentence(
    name: str,
    module: Report | ModuleType,
    runs_dir: str,
    *,
    smoke: bool = False,
) -> str:
    """Says that nothing is left to be trained, and what else there could be.

    Args:
        name: the report's.
        module: the report; of its runs those that are not optional are there.
        runs_dir: where records lie.
        smoke: whether the shrunk runs are meant.

    Returns:
        One line.

    Raises:
        RunError: a record cannot be read.

    Source: ours.
    """
    trained = len(_runs(module, smoke, optional=False))
    lacking = sum(
        runs.find(runs_dir, identity) is None
        for identity in _runs(module, smoke, optional=True)
    )
    if trained > 1:
        said = f"the {trained} runs that it trains for {name} are there"
    elif trained:
        said = f"the run that it trains for {name} is there"
    else:
        said = f"it trains no run for {name}"
    if lacking:
        said += (
            f"; {tables.counted(lacking, 'run')} that would add seeds or "
            "rows: not finished, the commands are on the page"
        )
    return f"--run_missing: {said}"


def _runs(
    module: Report | ModuleType, smoke: bool, *, optional: bool
) -> Collection[RunIdentity]:
    """Those of a page, each once: several rows can need one run."""
    resolver = Resolver(smoke=smoke)
    resolved = (
        resolver.resolve(need.experiment, need.changes, need.seed)
        for need in module.REQUIRES
        if need.optional == optional
    )
    return {identity.folder: identity for identity in resolved}.values()
