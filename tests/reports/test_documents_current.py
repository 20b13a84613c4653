"""The committed documents are what the committed records say."""

import io
import pathlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from ls_tf.pages import builder, canvas, documents, tables
from ls_tf.pages.blocks import Picture, ReportError
from ls_tf.spec import registry

ROOT = pathlib.Path(__file__).parents[2]
# The claims stand in the README; what there is, in experiments.md.
ELSEWHERE = {"claims", "experiments"}

# Pictures of the documents: file, report, picture.
IMAGES = {
    "fig5_distillation_short": ("fig5_distillation", "curves_short"),
    "fig6_mutual_information_short": (
        "fig6_mutual_information",
        "curves_short",
    ),
    "kd_grid": ("kd_grid", "grid"),
    "mnist_distillation_curves": ("mnist_distillation_curves", "curves"),
    "penultimate_alexnet_cifar10_bfloat16": (
        "fig1_penultimate",
        "penultimate_alexnet_cifar10_bfloat16",
    ),
}
UNRECORDED = {"quick_tour_penultimate"}  # of networks without records here

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


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


@pytest.mark.parametrize("name", sorted(IMAGES))
@canvas.own_style()
def test_an_image_is_what_its_report_draws(name):
    """If not: copy the picture of the report's page to docs/images."""
    report, picture = IMAGES[name]
    made = registry.get("ls_tf.reports", report)
    runs = str(ROOT / "results/runs")
    records, *_ = builder._find(report, made, runs, False)
    figure = next(  # what comes behind it takes its time
        block.figure
        for block in made.build(records)
        if isinstance(block, Picture) and block.name == picture
    )
    drawn = pixels(canvas.png(figure))
    kept = pixels((ROOT / f"docs/images/{name}.png").read_bytes())
    assert drawn.shape == kept.shape
    # Another release may set letters elsewhere by a hair; a point that has
    # moved is more.
    differ = np.abs(drawn - kept).max(axis=-1) > 64
    assert differ.mean() < 0.001


def test_every_image_of_the_documents_is_compared():
    files = {path.stem for path in (ROOT / "docs/images").iterdir()}
    assert files == IMAGES.keys() | UNRECORDED


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
