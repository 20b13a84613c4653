"""What a record says of the code that made it is true, or it says nothing."""

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from ls_tf.running import provenance

UNKNOWN = {"commit": None, "dirty": None}


def git(folder, *words):
    done = subprocess.run(
        [
            "git",
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "-c",
            "protocol.file.allow=always",
            *words,
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def make_package(top):
    folder = top / "made_code"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text("VALUE = 1\n")
    return folder


def commit_all(top):
    if not (top / ".git").exists():
        git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "x")
    return git(top, "rev-parse", "HEAD")


@pytest.fixture
def load(monkeypatch):
    """Loads the package below a folder as if it were the program's own."""
    monkeypatch.setattr(provenance, "PACKAGE", "made_code")
    monkeypatch.setattr(provenance, "_first", {})
    monkeypatch.setattr(provenance, "_seen", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(top, *parts):
        monkeypatch.syspath_prepend(top)
        importlib.invalidate_caches()
        for part in ("made_code", *(f"made_code.{p}" for p in parts)):
            importlib.import_module(part)

    yield load
    for name in [n for n in sys.modules if n.startswith("made_code")]:
        del sys.modules[name]


# A newline within a folder's name is part of it.
@pytest.mark.parametrize("name", ["plain", "two words\nand a line"])
def test_the_commit_of_the_package(tmp_path, load, name):
    top = tmp_path / name
    make_package(top)
    commit = commit_all(top)
    load(top, "part")
    assert provenance.git() == {"commit": commit, "dirty": False}


def test_a_tracked_file_that_was_altered(tmp_path, load):
    folder = make_package(tmp_path)
    commit = commit_all(tmp_path)
    (folder / "part.py").write_text("VALUE = 2\n")
    load(tmp_path)
    assert provenance.git() == {"commit": commit, "dirty": True}


@pytest.mark.parametrize("ignored", [False, True])
def test_a_module_that_no_commit_has(tmp_path, load, ignored):
    folder = make_package(tmp_path)
    if ignored:
        (tmp_path / ".gitignore").write_text("mine.py\n")
    commit = commit_all(tmp_path)
    (folder / "mine.py").write_text("")
    load(tmp_path, "part")
    assert provenance.git() == {"commit": commit, "dirty": False}  # not used
    importlib.import_module("made_code.mine")
    assert provenance.git() == {"commit": commit, "dirty": True}


def test_a_copy_of_what_no_commit_has_is_altered(tmp_path, load):
    folder = make_package(tmp_path)
    commit = commit_all(tmp_path)
    load(tmp_path)
    (folder / ".hidden").write_text("a file browser's")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/part.pyc").write_bytes(b"")
    clean = {"commit": commit, "dirty": False}
    assert provenance.git(whole=True) == clean
    (folder / "mine.py").write_text("VALUE = 2\n")  # loaded over there
    assert provenance.git(whole=True) == {"commit": commit, "dirty": True}
    assert provenance.git() == clean  # nothing of it runs here
    assert provenance.package().keys() == {
        f"made_code/{name}.py" for name in ("__init__", "mine", "part")
    }


def test_a_module_from_another_folder(tmp_path, load):
    make_package(tmp_path / "a")
    commit = commit_all(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "other.py").write_text("")
    load(tmp_path / "a")
    sys.modules["made_code"].__path__.append(str(tmp_path / "b"))
    importlib.import_module("made_code.other")
    assert provenance.git() == {"commit": commit, "dirty": True}


def test_the_commit_of_another_project_is_not_ours(tmp_path, load):
    (tmp_path / "notes").write_text("x")
    (tmp_path / ".gitignore").write_text("site\n")
    commit_all(tmp_path)
    make_package(tmp_path / "site")
    load(tmp_path / "site")
    assert provenance.git() == UNKNOWN


def test_a_project_that_tracks_us_below_its_top_is_not_ours(tmp_path, load):
    make_package(tmp_path / "vendor")
    commit_all(tmp_path)
    load(tmp_path / "vendor")
    assert provenance.git() == UNKNOWN


def test_a_repository_that_does_not_track_the_package(tmp_path, load):
    (tmp_path / "notes").write_text("x")
    commit_all(tmp_path)
    make_package(tmp_path)
    load(tmp_path)
    assert provenance.git() == UNKNOWN


def test_the_environment_of_a_git_hook_is_passed_over(
    tmp_path, load, monkeypatch
):
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes").write_text("x")
    commit_all(other)
    make_package(tmp_path / "ours")
    commit = commit_all(tmp_path / "ours")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    load(tmp_path / "ours")
    assert provenance.git() == {"commit": commit, "dirty": False}


def test_no_repository_no_commit_no_git(tmp_path, load, monkeypatch):
    make_package(tmp_path)
    load(tmp_path, "part")
    assert provenance.git() == UNKNOWN
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    provenance._first.clear()
    assert provenance.git() == UNKNOWN  # nothing is committed yet
    commit_all(tmp_path)
    provenance._first.clear()
    assert provenance.git()["dirty"] is False
    provenance._first.clear()
    monkeypatch.setenv("PATH", "")
    assert provenance.git() == UNKNOWN


def test_a_repository_that_git_will_not_read(tmp_path, load):
    make_package(tmp_path)
    commit_all(tmp_path)
    load(tmp_path)
    (tmp_path / ".git" / "HEAD").write_text("damaged")
    assert provenance.git() == UNKNOWN
    if os.getuid() == 0:  # "dubious ownership"
        shutil.rmtree(tmp_path / ".git")
        commit_all(tmp_path)
        for path in (tmp_path, tmp_path / ".git"):
            os.chown(path, 12345, 12345)
        assert provenance.git() == UNKNOWN


def test_a_worktree_a_submodule_and_a_link(tmp_path, load):
    main = tmp_path / "main"
    make_package(main)
    commit = commit_all(main)
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "-q", "add", str(main), "inner")
    assert commit_all(outer) != commit
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "made_code").symlink_to(main / "made_code")
    for place in (tmp_path / "tree", outer / "inner", tmp_path / "site"):
        load(place, "part")
        assert str(place) in sys.modules["made_code"].__file__
        assert provenance.git() == {"commit": commit, "dirty": False}, place
        provenance._first.clear()
        for name in ("made_code", "made_code.part"):
            del sys.modules[name]


def test_a_commit_under_the_running_process(tmp_path, load):
    folder = make_package(tmp_path)
    before = commit_all(tmp_path)
    load(tmp_path, "part")
    assert provenance.git() == {"commit": before, "dirty": False}
    (folder / "part.py").write_text("VALUE = 2\n")
    commit_all(tmp_path)
    assert provenance.git() == {"commit": before, "dirty": True}


def test_sources_are_those_that_were_loaded(tmp_path, load):
    folder = make_package(tmp_path)
    load(tmp_path)
    empty = hashlib.sha256(b"").hexdigest()
    assert provenance.sources() == {"made_code": empty}
    alone = provenance.digest(provenance.sources())
    importlib.import_module("made_code.part")
    loaded = {
        "made_code": empty,
        "made_code.part": hashlib.sha256(b"VALUE = 1\n").hexdigest(),
    }
    assert provenance.sources() == loaded
    (folder / "part.py").write_text("VALUE = 2\n")  # runs in no process yet
    assert provenance.sources() == loaded
    assert provenance.digest(loaded) != alone
    assert (
        provenance.digest(loaded)
        == hashlib.sha256(
            "".join(f"{k} {v}\n" for k, v in loaded.items()).encode()
        ).hexdigest()
    )


def test_versions_name_what_a_task_uses():
    of_images = provenance.versions("tensorflow", "classification")
    assert list(of_images) == [
        "python",
        "tensorflow",
        "keras",
        "numpy",
        "scipy",
        "scikit-learn",
    ]
    of_text = provenance.versions("jax", "translation")
    assert {"jax", "jaxlib", "sentencepiece", "sacrebleu"} <= set(of_text)
    assert "tensorflow" not in of_text


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_told_not_to_look_at_counts_as_altered(
    tmp_path, load, mark
):
    folder = make_package(tmp_path)
    commit = commit_all(tmp_path)
    git(tmp_path, "update-index", mark, "made_code/part.py")
    (folder / "part.py").write_text("VALUE = 2\n")
    load(tmp_path, "part")
    assert git(tmp_path, "status", "--porcelain") == ""
    assert provenance.git() == {"commit": commit, "dirty": True}


def test_a_copy_in_a_bundle_has_the_commit_that_the_bundle_names(
    tmp_path, load
):
    folder = make_package(tmp_path)
    load(tmp_path, "part")
    assert provenance.git() == UNKNOWN
    about = {
        "commit": "a" * 40,
        "dirty": False,
        "package": provenance.of_files(provenance.package()),
    }
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(about))
    provenance._first.clear()
    assert provenance.git() == {"commit": "a" * 40, "dirty": False}
    (folder / "page.css").write_text("")  # no module, and yet of the package
    assert provenance.git() == {"commit": "a" * 40, "dirty": True}
    (folder / "page.css").unlink()
    assert provenance.git()["dirty"]  # the process may have read it
    provenance._first.clear()
    assert not provenance.git()["dirty"]
    bundle.write_text(json.dumps({**about, "dirty": True}))
    assert provenance.git()["dirty"]
    for damaged in ("[", "{}", json.dumps({**about, "commit": "x"})):
        bundle.write_text(damaged)
        provenance._first.clear()
        assert provenance.git() == UNKNOWN
