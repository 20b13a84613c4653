"""What a page lacks although all is there that ``--run_missing`` trains."""

from types import ModuleType

from ls_tf.pages import builder, tables
from ls_tf.pages.builder import Report
from ls_tf.records import runs


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
    trained = len(builder.identities(module, smoke=smoke))
    lacking = sum(
        runs.find(runs_dir, identity) is None
        for identity in builder.identities(module, smoke=smoke, optional=True)
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
