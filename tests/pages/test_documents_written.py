"""All tables that stand in a document, written by one command."""

import pytest

from ls_tf import cli
from ls_tf.pages import builder, documents, tables
from ls_tf.pages.blocks import ReportError, Table
from ls_tf.spec import registry

FIRST = Table("first", "One.", ("x",), ("",), ((1,),))
SECOND = Table("second", "Two.", ("y",), ("",), ((2,),))


@pytest.fixture
def of_reports():
    made = documents.Tables("nowhere")
    made._found = {
        "mine": {"first": FIRST, "second": SECOND},
        "other": {"only": SECOND},
        "none": {},
    }
    return made


def marked(*names):
    return "".join(
        f"# {name}\n<!-- report:{name} -->\nold\n<!-- /report:{name} -->\nend\n"
        for name in names
    )


def test_every_table_of_a_document_is_written(of_reports, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(marked("mine/second", "other", "mine"))
    documents.write(str(path), of_reports)
    text = path.read_text()
    assert "old" not in text
    blocks = text.split("<!-- report:")[1:]
    wanted = (SECOND, SECOND, FIRST)
    for block, table in zip(blocks, wanted, strict=True):
        assert f"-->\n\n{tables.markdown(table)}\n<!-- /report:" in block
        assert block.count("\nend\n") == 1
    documents.write(str(path), of_reports)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no markers", "there are none"),
        (marked("mine", "mine/third"), "no table 'third'; existing: first, se"),
        (marked("mine", "none"), "report none has no table"),
        (marked("other", "mine", "mine"), "wanted one line '<!-- report:mine"),
    ],
)
def test_a_document_that_cannot_be_written_stays(
    text, message, of_reports, tmp_path
):
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(ReportError, match=message):
        documents.write(str(path), of_reports)
    assert path.read_text() == text


def test_the_command_writes_a_document_or_all_pages(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(marked("s_fig3", "s_fig3/minimum"))
    command = ["run_experiment.py", "--report=all"]
    assert cli.main([*command, "--readme=page.md"]) == 0
    assert page.read_text().count("| 0.1 | 2.1972 |") == 2  # ln 9
    assert capsys.readouterr().out == "page.md\n"
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]

    names = ["quick_tour", "s_fig3"]
    monkeypatch.setattr(registry, "names", lambda package: names)
    built = []
    build = builder.build

    def counted(name, *given, **options):
        built.append(name)
        return build(name, *given, **options)

    monkeypatch.setattr(builder, "build", counted)
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    # A report whose runs are missing is said, and is no error.
    assert built == names and out == "reports/s_fig3/index.html\n"
    assert "report quick_tour: 4 of 4 runs missing" in err
