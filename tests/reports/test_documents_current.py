"""The committed documents are what the committed records say."""

import pathlib
import re
import shutil

import pytest

from ls_tf.pages import documents, tables
from ls_tf.pages.blocks import ReportError
from ls_tf.spec import registry

ROOT = pathlib.Path(__file__).parents[2]
# The claims stand in the README; what there is, in experiments.md.
ELSEWHERE = {"claims", "experiments"}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("documents")]


@pytest.fixture(scope="module")
def of_reports():
    return documents.Tables(str(ROOT / "results/runs"))


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/experiments.md",
        "docs/replication_audit.md",
        "docs/results.md",
    ],
)
def test_a_document_is_what_its_command_writes(name, of_reports, tmp_path):
    """If not: --report=all --runs_dir=results/runs --readme=NAME."""
    copy = tmp_path / "copy.md"
    shutil.copy(ROOT / name, copy)
    documents.write(str(copy), of_reports)
    assert copy.read_text("utf-8") == (ROOT / name).read_text("utf-8")


def test_the_results_have_every_table_with_a_row(of_reports):
    text = (ROOT / "docs/results.md").read_text("utf-8")
    marked = set(re.findall(r"<!-- report:([\w/]+) -->", text))
    lost = []
    for report in set(registry.names("ls_tf.reports")) - ELSEWHERE:
        try:
            found = of_reports.of(report)
        except ReportError:  # a run is missing that it cannot do without
            continue
        for place, (name, table) in enumerate(found.items()):
            names = {f"{report}/{name}"} | ({report} if place == 0 else set())
            has_rows = len(tables.without_run(table)) < len(table.rows)
            if has_rows and not marked & names:
                lost.append(f"{report}/{name}")
    assert lost == []


def test_a_caption_goes_on_in_small_letters_behind_the_name_of_a_data_set():
    text = (ROOT / "docs/results.md").read_text("utf-8")
    after = re.findall(
        r"(?:CIFAR(?:-10)?|MNIST|ImageNet|Translations): (\w+)", text
    )
    assert {"on", "of", "the"} <= set(after)
    assert {word for word in after if word[0].isupper()} <= {"PyTorch"}
