"""All tables of reports that stand in a document, written at once.

A document has two marker lines for each table: ``<!-- report:NAME -->`` and
``<!-- /report:NAME -->`` for a report's first table, ``NAME/TABLE`` in the
place of ``NAME`` for another one. Everything else in it is its author's.
"""

from ls_tf import stopping
from ls_tf.pages import builder, canvas, splice, tables
from ls_tf.pages.blocks import ReportError, Table
from ls_tf.spec import registry

_REPORTS = "ls_tf.reports"


class Tables:
    """The tables of reports, each report built once."""

    def __init__(self, runs_dir: str) -> None:
        """Takes where records lie."""
        self._runs_dir = runs_dir
        self._found: dict[str, dict[str, Table]] = {}

    @canvas.own_style()
    def of(self, report: str) -> dict[str, Table]:
        """The tables of a report by their names, in its order.

        Args:
            report: its name.

        Raises:
            ReportError: a run is missing that it cannot do without; one line.
            RunError: a record cannot be read; one line.
            SpecError: no report of that name; one line.
        """
        if report not in self._found:
            module = registry.get(_REPORTS, report)
            with stopping.doing(f"building report {report}"):
                made = builder.blocks(report, module, self._runs_dir)
            self._found[report] = {
                block.name: block for block in made if isinstance(block, Table)
            }
        return self._found[report]


def write(file: str, of_reports: Tables) -> None:
    """Writes all tables of a document anew; no page is built.

    Args:
        file: the document.
        of_reports: what is written.

    Raises:
        ReportError: no marker, or one of a table that does not exist; or as
            ``Tables.of``, as are RunError and SpecError. One line; the
            document is as it was then.

    Source: ours.
    """
    names = splice.names(file)
    if not names:
        raise ReportError(
            f"{file}: wanted lines '<!-- report:NAME -->', there are none"
        )
    marked = [splice.Marked(file, name) for name in names]
    texts = [_text(name, of_reports) for name in names]
    for place, text in zip(marked, texts, strict=True):
        place.write(text)


def _text(name: str, of_reports: Tables) -> str:
    report, _, wanted = name.partition("/")
    found = of_reports.of(report)
    if not found:
        raise ReportError(f"report {report} has no table")
    chosen = wanted or next(iter(found))
    if chosen not in found:
        raise ReportError(
            f"report {report} has no table '{chosen}'; existing: "
            f"{', '.join(found)}"
        )
    return f"\n\n{tables.markdown(found[chosen])}\n"
