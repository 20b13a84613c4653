import html.parser
import json
import pathlib
import re
import types

import pytest

from ls_tf.pages import builder, declared
from ls_tf.pages.blocks import NO_RUN, Need, ReportError, Text
from ls_tf.records import files, runs
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

HARD = Need("fc_digits", {"alpha": 0.0})
SMOOTHED = Need("fc_digits", {"alpha": 0.1})
SECOND = Need("fc_digits", {"alpha": 0.0}, seed=1, optional=True)


def module(*needs, title="A title"):
    """A report of one table: the accuracy of each need."""

    def build(records):
        def accuracy(need):
            if need not in records:
                return NO_RUN
            return records[need].scalars("reliability", "report")["accuracy"]

        table = declared.table(
            "accuracy",
            "What it is.",
            needs,
            ("alpha", lambda need: str(need.changes["alpha"]), ""),
            ("accuracy", accuracy, ".3f"),
        )
        return Text("Some text & <b>more</b>."), table

    return types.SimpleNamespace(REQUIRES=needs, TITLE=title, build=build)


def build(made, tmp_path, **options):
    return builder.build(
        "a_report",
        made,
        runs_dir=str(tmp_path / "runs"),
        reports_dir=str(tmp_path / "reports"),
        **options,
    )


def test_a_need_is_a_key_whose_changes_count():
    assert {Need("a", {"alpha": 0.1}): 1}[Need("a", {"alpha": 0.1})] == 1
    assert Need("a", {"alpha": 0.1}) != Need("a", {"alpha": 0.2})


def test_identities_are_those_of_the_needs_that_are_not_optional():
    found = builder.identities(module(HARD, SMOOTHED, SECOND), smoke=False)
    assert [i.folder for i in found] == [
        "fc_digits/alpha=0/seed=0",
        "fc_digits/paper/seed=0",
    ]
    shrunk = builder.identities(module(HARD), smoke=True)
    assert [i.folder for i in shrunk] == ["fc_digits/smoke,alpha=0/seed=0"]


def test_missing_runs_are_one_line_with_commands_and_nothing_is_written(
    store, tmp_path
):
    folder = store([HARD])
    with pytest.raises(ReportError) as caught:
        build(module(HARD, SMOOTHED, SECOND), tmp_path)
    command = resolve("fc_digits", changed={"alpha": 0.1}).command()
    assert str(caught.value) == (
        "report a_report: 1 of 2 runs missing or unfinished; make them with: "
        f"{command} --runs_dir={folder} (or add --run_missing)"
    )
    assert not (tmp_path / "reports").exists()


def test_commands_of_several_missing_runs_in_the_default_folder(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReportError) as caught:
        builder.build(
            "a_report",
            module(HARD, SMOOTHED),
            runs_dir="runs",
            reports_dir="reports",
        )
    one, two = (
        resolve("fc_digits", changed={"alpha": alpha}).command()
        for alpha in (0.0, 0.1)
    )
    assert f"make them with: {one}; {two} (or add" in str(caught.value)
    assert "--experiment=fc_digits --alpha=0.0" in one
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_runs_folder_with_a_space_is_quoted(tmp_path):
    with pytest.raises(ReportError, match="--runs_dir='/a folder'"):
        builder.build(
            "r", module(HARD), runs_dir="/a folder", reports_dir=str(tmp_path)
        )


def test_an_unfinished_run_counts_as_missing(store, tmp_path):
    folder = store([HARD])
    identity = resolve("fc_digits", changed={"alpha": 0.0})
    with runs.opened(folder, identity) as directory:
        directory.update(outcome="stopped")
    with pytest.raises(ReportError, match="1 of 1 runs missing"):
        build(module(HARD), tmp_path)


def test_an_optional_run_that_is_missing_is_named_on_the_page(store, tmp_path):
    store([HARD])
    page = pathlib.Path(build(module(HARD, SECOND), tmp_path))
    text = page.read_text()
    assert "--experiment=fc_digits --alpha=0.0 --seed=1 --runs_dir=" in text
    # The row without a run is folded, under a line that counts it.
    line = "<summary>No run yet for 1 of 2 rows: 0.0.</summary>"
    assert text.index(line) < text.index('<td class="number">no run</td>')
    assert (page.parent / "accuracy.csv").read_text() == (
        f"alpha,accuracy\n0.0,{1 - (0.022 + 0.002)!r}\n0.0,no run\n"
    )


def make_old(path):
    """Takes a record's digests away, as of one from before there were any."""
    (path / "digests.json").unlink(missing_ok=True)
    run = json.loads((path / "run.json").read_text())
    del run["indexed"]
    (path / "run.json").write_text(json.dumps(run))


def test_a_scalar_that_is_missing_is_named(store, tmp_path):
    path = pathlib.Path(store([HARD])) / "fc_digits/alpha=0/seed=0"
    make_old(path)
    file = path / "measurements/reliability_report.json"
    content = json.loads(file.read_text())
    del content["scalars"]["accuracy"]
    file.write_text(json.dumps(content))
    with pytest.raises(runs.RunError) as caught:
        build(module(HARD), tmp_path)
    assert str(caught.value).startswith(
        f"{path}: measurement reliability_report has no scalar 'accuracy'; "
        "existing: "
    )
    assert not (tmp_path / "reports").exists()


def test_what_an_unchecked_record_breaks_is_one_line(store, tmp_path):
    """With a checked record it is a defect of the report: a traceback."""
    made = module(HARD)
    made.build = lambda records: [][3]
    path = pathlib.Path(store([HARD])) / "fc_digits/alpha=0/seed=0"
    with pytest.raises(IndexError):
        build(made, tmp_path)
    make_old(path)
    with pytest.raises(ReportError) as caught:
        build(made, tmp_path)
    assert str(caught.value) == (
        "report a_report cannot be built of its records, one of which may be "
        "damaged: IndexError: list index out of range. Unchecked: 1 of 1 "
        "records, which are from before the files of a record had digests."
    )


def test_the_page_says_how_many_records_are_unchecked(store, tmp_path):
    folder = store([HARD, SECOND], optional=True)
    page = pathlib.Path(build(module(HARD, SECOND), tmp_path))
    assert "nchecked" not in page.read_text()
    path = pathlib.Path(folder) / "fc_digits/alpha=0/seed=1"
    indexed = (path / "run.json").read_text()
    make_old(path)
    (path / "run.json").write_text(indexed)
    with pytest.raises(runs.RunError, match="digests.json is missing"):
        build(module(HARD, SECOND), tmp_path)
    make_old(path)
    build(module(HARD, SECOND), tmp_path)
    assert "<p>Unchecked: 1 of 2 records, which are from" in page.read_text()


def test_a_report_reads_no_record_that_is_not_what_was_written(store, tmp_path):
    """Also where it does not show what was altered."""
    folder = store([HARD])
    path = pathlib.Path(folder) / "fc_digits/alpha=0/seed=0/measurements"
    file = sorted(path.glob("*.npz"))[0]
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(runs.RunError, match=f"{file.name} is not what was"):
        build(module(HARD), tmp_path)
    assert not (tmp_path / "reports").exists()


def test_the_page_tells_where_its_numbers_come_from(store, tmp_path):
    store([HARD, SECOND], optional=True)
    page = pathlib.Path(build(module(HARD, SECOND), tmp_path)).read_text()
    footer = page[page.index("<footer>") :].replace("<wbr>", "")
    for word in (
        "fc_digits/alpha=0/seed=0",
        "fc_digits/alpha=0/seed=1",
        "<td>0123456789ab</td>",
        "<td>0123456789ab (altered)</td>",
        "tensorflow 2.21.0",
        "CPU &lt;0&gt;",
        ">60000<",
        ">81.2<",
        "digits: train train, calibrate test[:250], report test[250:]",
    ):
        assert word in footer, word


def test_a_resumed_run_names_both_commits(store):
    run = {
        "history": [
            {"git": {"commit": "a" * 40, "dirty": False}},
            {"git": {"commit": "a" * 40, "dirty": False}},
            {"git": {"commit": "b" * 40, "dirty": True}},
            {"git": {"commit": None, "dirty": None}},
        ]
    }
    expected = f"{'a' * 12}, {'b' * 12} (altered), unknown"
    assert builder._commits(run) == expected


class _Links(html.parser.HTMLParser):
    VOID = ("meta", "img", "wbr")

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.alternatives = [], [], []
        self.classes, self.around_tables = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.around_tables.append(tuple(self.classes[-2:]))
        if tag not in self.VOID:
            self.open.append(tag)
            self.classes.append(dict(attrs).get("class"))
        self.sources += [v for k, v in attrs if k in ("src", "href")]
        self.alternatives += [v for k, v in attrs if k == "alt"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.classes.pop()


def test_every_table_stands_where_the_style_keeps_it_whole(store, tmp_path):
    """What the style does is measured in tests/pages, in a browser."""
    store([HARD, SECOND], optional=True)
    page = pathlib.Path(build(module(HARD, SECOND), tmp_path)).read_text()
    links = _Links()
    links.feed(page)
    # The table of the report and that of its runs.
    assert links.around_tables == [("table", "wide")] * 2


TABLES_ONLY = {
    *("claims", "experiments", "replication_audit"),
    *("s_table1_table10", "s_table4"),
}


@pytest.mark.parametrize("name", registry.names("ls_tf.reports"))
def test_every_report_is_self_contained_and_repeats_byte_for_byte(
    name, store, tmp_path
):
    made = registry.get("ls_tf.reports", name)
    folder = store(made.REQUIRES)
    files = []
    for _ in range(2):  # the second one replaces the first
        page = pathlib.Path(
            builder.build(
                name,
                made,
                runs_dir=folder,
                reports_dir=str(tmp_path / "reports"),
            )
        )
        assert page == tmp_path / "reports" / name / "index.html"
        files.append({p.name: p.read_bytes() for p in page.parent.iterdir()})
        assert [p.name for p in (tmp_path / "reports").iterdir()] == [name]
    assert files[0] == files[1]
    links = _Links()
    text = page.read_text()
    links.feed(text)
    assert links.open == []
    assert all(s.startswith("data:image/png;base64,") for s in links.sources)
    # Whoever does not see the picture reads its numbers.
    assert all(re.search(r"\d", alt) for alt in links.alternatives)
    assert "http" not in text and "@import" not in text and "url(" not in text
    pictures = [n for n in files[0] if n.endswith(".png")]
    assert len(pictures) == len(links.sources)
    assert bool(pictures) == (name not in TABLES_ONLY)
    for picture in pictures:
        assert files[0][picture[:-3] + "pdf"].startswith(b"%PDF")
    for table in (n[:-3] for n in files[0] if n.endswith(".md")):
        for kind in (".csv", "_numbers.csv", ".tex"):
            assert table + kind in files[0]


@pytest.mark.parametrize("name", registry.names("ls_tf.reports"))
@pytest.mark.usefixtures("quick")
def test_every_report_reads_smoke_runs_and_says_so(name, store, tmp_path):
    made = registry.get("ls_tf.reports", name)
    folder = store(made.REQUIRES, smoke=True)
    page = builder.build(
        name,
        made,
        runs_dir=folder,
        reports_dir=str(tmp_path / "reports"),
        smoke=True,
    )
    assert "its numbers mean nothing" in pathlib.Path(page).read_text()


def test_figures_are_svg_too_where_wanted(store, tmp_path):
    made = registry.get("ls_tf.reports", "re_fig1_soft_labels")
    drawn = []
    for wanted in (False, True, True):
        page = builder.build(
            "re_fig1_soft_labels",
            made,
            runs_dir=store([]),
            reports_dir=str(tmp_path / "reports"),
            svg=wanted,
        )
        found = list(pathlib.Path(page).parent.glob("*.svg"))
        assert bool(found) == wanted
        drawn += [file.read_bytes() for file in found]
    assert drawn[0] == drawn[1] and drawn[0].startswith(b"<?xml")


def test_everything_is_escaped(store, tmp_path):
    store([HARD])
    made = module(HARD, title="<script>alert(1)</script>")
    page = pathlib.Path(build(made, tmp_path)).read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "Some text &amp; &lt;b&gt;more&lt;/b&gt;." in page


def test_other_files_of_the_folder_are_left_alone(store, tmp_path):
    store([HARD])
    other = tmp_path / "reports" / "a_report" / "notes.txt"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    build(module(HARD), tmp_path)
    assert other.read_text() == "mine"


@pytest.fixture
def failing(monkeypatch):
    """The page itself, which is written last, cannot be written."""
    put = files._put

    def full(path, content):
        if "index.html" in path.name:
            raise PermissionError(13, "Permission denied", str(path))
        put(path, content)

    return lambda: monkeypatch.setattr(files, "_put", full)


def test_a_failed_write_leaves_the_old_page(store, tmp_path, failing):
    store([HARD])
    page = pathlib.Path(build(module(HARD, title="old"), tmp_path))
    before = {p.name: p.read_bytes() for p in page.parent.iterdir()}
    failing()
    with pytest.raises(ReportError, match="cannot be written: Permission"):
        build(module(HARD, title="new"), tmp_path)
    assert {p.name: p.read_bytes() for p in page.parent.iterdir()} == before
    assert [p.name for p in page.parent.parent.iterdir()] == ["a_report"]


def test_a_failed_first_write_leaves_no_folder(store, tmp_path, failing):
    store([HARD])
    failing()
    with pytest.raises(ReportError, match="cannot be written: Permission"):
        build(module(HARD), tmp_path)
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_one_line(store, tmp_path):
    store([HARD])
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(ReportError, match="cannot be written") as caught:
        build(module(HARD), tmp_path)
    assert "\n" not in str(caught.value)


def test_the_readme_gets_the_first_table(store, tmp_path):
    store([HARD])
    readme = tmp_path / "README.md"
    readme.write_text(
        "# Ü\n<!-- report:other -->\nkept\n<!-- /report:other -->\n"
        "<!-- report:a_report -->\nold\n<!-- /report:a_report -->\nend\n"
    )
    expected = (
        "# Ü\n<!-- report:other -->\nkept\n<!-- /report:other -->\n"
        "<!-- report:a_report -->\n\n"
        "| alpha | accuracy |\n| --- | ---: |\n| 0.0 | 0.976 |\n\n"
        "What it is.\n\n"
        "<!-- /report:a_report -->\nend\n"
    )
    for _ in range(2):
        build(module(HARD), tmp_path, readme=str(readme))
        assert readme.read_text() == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no markers",
        "<!-- report:a_report -->",
        "<!-- /report:a_report --><!-- report:a_report -->",
        "<!-- report:a_report --><!-- /report:a_report -->" * 2,
    ],
)
def test_a_readme_without_its_markers_stops_before_anything_is_written(
    text, store, tmp_path
):
    store([HARD])
    readme = tmp_path / "README.md"
    if text is not None:
        readme.write_text(text)
    with pytest.raises(ReportError) as caught:
        build(module(HARD), tmp_path, readme=str(readme))
    assert "README.md" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "reports").exists()
    assert text is None or readme.read_text() == text
