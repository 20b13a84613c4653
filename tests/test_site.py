"""The documentation site: built without a warning, its notebooks run."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ls_tf
from ls_tf.spec import registry

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Modules, and what `ls_tf` itself has.
NAMES = [name for name in ls_tf._PUBLIC if name not in ("decoding", "losses")]
OTHERS = {
    "ls_tf.analyze",
    "ls_tf.decoding.beam_search",
    "ls_tf.decoding.compiled_beam_search",
    "ls_tf.losses.KerasLoss",
    "ls_tf.losses.learnt_targets",
    "ls_tf.losses.numpy_loss",
}


def sphinx(builder, folder, *options):
    words = [sys.executable, "-m", "sphinx", "-q", "-b", builder, *options]
    return subprocess.run(
        [*words, str(DOCS), str(folder)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx", reason="an extra: docs")
    folder = tmp_path_factory.mktemp("site") / "html"
    done = sphinx("html", folder, "-W", "--keep-going")
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def inventory(site):
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        entries = InventoryFile.load(file, "", lambda base, path: path)
    return {kind: set(names) for kind, names in entries.items()}


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]


def test_every_public_name_has_its_place(inventory):
    wanted = {
        f"ls_tf.{module}.{name}"
        for module in NAMES
        for name in importlib.import_module(f"ls_tf.{module}").__all__
    }
    known = set.union(*(v for k, v in inventory.items() if k[:3] == "py:"))
    # A name that another module has, too, stands there.
    lost = {
        name
        for name in wanted | OTHERS
        if name not in known and not _is_elsewhere(name, known)
    }
    assert lost == set()


def _is_elsewhere(name, known):
    module, _, attribute = name.rpartition(".")
    found = getattr(importlib.import_module(module), attribute)
    home = getattr(found, "__module__", "")
    return home != module and f"{home}.{attribute}" in known


def test_every_loss_and_every_page_is_there(inventory, site):
    losses = {f"ls_tf.losses.{n}.Loss" for n in registry.names("ls_tf.losses")}
    assert losses <= inventory["py:class"]
    pages = {
        str(path.relative_to(DOCS).with_suffix(""))
        for path in DOCS.rglob("*.md")
        if "_build" not in path.parts
    }
    assert pages <= inventory["std:doc"]
    # What does not lie in docs/ is shown, and not a link to it.
    shown = (site / "more/flags.html").read_text("utf-8")
    assert "This page of the site is" not in shown


@pytest.mark.parametrize("name", ["a_run", "by_hand", "own_logits"])
def test_a_notebook_shows_what_it_computed(name, site):
    text = (site / f"notebooks/{name}.html").read_text("utf-8")
    outputs = re.findall(r'class="cell_output', text)
    assert len(outputs) >= 4 and "<img" in text
    assert "Traceback" not in text and "Warning" not in text
    if name == "by_hand":  # ln(0.91 / 0.01), and the entropy of that target
        assert "least loss 0.5003" in text and "logit gap 4.5109" in text


def test_formulas_are_drawn_without_a_script(site):
    text = (site / "formulas.html").read_text("utf-8")
    assert text.count("<math ") > 50
    assert not re.search(r'<script[^>]+src="http', text)


@pytest.mark.network
def test_links_to_other_places_lead_somewhere(tmp_path):
    pytest.importorskip("sphinx", reason="an extra: docs")
    off = ("-D", "nb_execution_mode=off")
    done = sphinx("linkcheck", tmp_path / "links", *off)
    assert done.returncode == 0, done.stdout[-4000:]
