"""The command line in the process of a test."""

import pytest
from cli_process import tree

from ls_tf import cli


@pytest.fixture
def line(tmp_path, monkeypatch, capsys):
    """Runs the command line here; gives exit code, output, error lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)

    def run(*flags):
        code = cli.main(["run_experiment.py", *flags])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def refused(line, tmp_path):
    """Bad input: exit code 2, one line, nothing written; gives the line."""

    def run(*flags):
        before = tree(tmp_path)
        code, out, err = line(*flags)
        assert (code, out) == (2, "")
        assert len(err) == 1
        assert err[0].startswith("ls_tf: ")
        assert "Traceback" not in err[0]
        assert tree(tmp_path) == before
        return err[0].removeprefix("ls_tf: ")

    return run
