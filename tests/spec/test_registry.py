"""Tests of ls_tf.spec.registry."""

import ast
import os
import pathlib
import sys
import types

import pytest

from ls_tf.spec import SpecError, registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package made for the test; gives its name."""
    folder = tmp_path / "made_for_registry"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A package."""\n')
    (folder / "_helper.py").write_text("")
    (folder / "notes.txt").write_text("")
    (folder / "sub").mkdir()
    (folder / "alexnet.py").write_text("def build(*, depth: int): ...\n")
    (folder / "resnet.py").write_text(
        "import no_such_library_anywhere\n"
        "def build(first, second=2, *, depth: int, rate: float = 0.5,\n"
        "          on: bool, name: str = 'x', sizes: tuple[int, ...],\n"
        "          rates: tuple[float, ...], words: tuple[str, ...],\n"
        "          maybe: int | None = None, other: 'list' = (), bare=1):\n"
        "    '''Builds.'''\n"
        "class build_nothing: ...\n"
        "class Evaluator:\n"
        "    role: str\n"
        "    bins: int = 15\n"
        "    edge: 'list' = 'left'\n"
        "    GRID = 3\n"
        "    def __call__(self, network: int) -> None:\n"
        "        count: int = 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "made_for_registry"
    for name in [n for n in sys.modules if n.startswith("made_for_registry")]:
        del sys.modules[name]


def test_names_skips_helpers_folders_and_other_files(package):
    assert registry.names(package) == ["alexnet", "resnet"]


def test_names_of_this_project():
    folder = pathlib.Path(registry.__file__).parents[1] / "experiments"
    assert registry.names("ls_tf.experiments") == sorted(
        p.stem for p in folder.glob("[!_]*.py")
    )


def test_names_and_check_import_no_part(package):
    registry.names(package)
    registry.check(package, "resnet")
    registry.signature(package, "resnet")
    assert f"{package}.resnet" not in sys.modules


def test_get_imports_the_module(package):
    module = registry.get(package, "alexnet")
    assert isinstance(module, types.ModuleType)
    assert callable(module.build)


@pytest.mark.parametrize(
    "name", ["resnt", "Resnet", "_helper", "__init__", "sub", "../x", "", "a.b"]
)
def test_an_unknown_name_lists_what_exists(package, name):
    for find in (registry.check, registry.get):
        with pytest.raises(SpecError) as caught:
            find(package, name, "network")
        message = str(caught.value)
        assert f"no network '{name}'; existing: alexnet, resnet" in message
        assert "\n" not in message
    if name in ("resnt", "Resnet"):
        assert message.endswith("; did you mean 'resnet'?")


@pytest.mark.parametrize(
    ("last", "word"),
    [
        ("models", "model"),
        ("data", "data set"),
        ("tasks", "task"),
        ("reports", "report"),
        ("evaluators", "evaluator"),
        ("experiments", "experiment"),
        ("losses", "loss"),
    ],
)
def test_the_message_says_what_was_looked_for(last, word):
    with pytest.raises(SpecError, match=f"^no {word} 'nothing'; existing: "):
        registry.check(f"ls_tf.{last}", "nothing")


def test_no_such_package():
    with pytest.raises(ValueError, match="no package 'ls_tf.nothing'"):
        registry.names("ls_tf.nothing")
    with pytest.raises(ValueError, match="no package 'ls_tf.cli'"):
        registry.names("ls_tf.cli")


def test_signature_reads_plain_annotations(package):
    assert registry.signature(package, "resnet") == {
        "first": None,
        "second": None,
        "depth": int,
        "rate": float,
        "on": bool,
        "name": str,
        "sizes": tuple[int, ...],
        "rates": tuple[float, ...],
        "words": tuple[str, ...],
        "maybe": int | None,
        "other": None,
        "bare": None,
    }


def test_arguments_say_what_has_a_default(package):
    found = registry.arguments(package, "resnet")
    assert {name: kind for name, (kind, _) in found.items()} == (
        registry.signature(package, "resnet")
    )
    assert [
        name for name, (_, has_default) in found.items() if not has_default
    ] == [
        "first",
        "depth",
        "on",
        "sizes",
        "rates",
        "words",
    ]


def test_signature_of_what_is_not_there(package):
    with pytest.raises(SpecError, match="did you mean 'resnet'"):
        registry.signature(package, "resnett")
    with pytest.raises(ValueError, match="has no function 'build_nothing'"):
        registry.signature(package, "alexnet", "build_nothing")


def test_the_arguments_of_a_dataclass_are_its_fields(package):
    assert registry.arguments(package, "resnet", "Evaluator") == {
        "role": (str, False),
        "bins": (int, True),
        "edge": (None, True),
    }
    assert registry.arguments(package, "resnet", "build_nothing") == {}


def test_what_a_class_says_of_itself_is_no_argument(tmp_path, package):
    (tmp_path / package / "alexnet.py").write_text(
        "import nosuchmodule\n"
        "@dataclass(frozen=True)\n"
        "class Loss:\n"
        "    beta: float\n"
        "    needs_teacher: ClassVar[bool] = True\n"
        "    later: ClassVar[str]\n"
    )
    assert registry.arguments(package, "alexnet", "Loss") == {
        "beta": (float, False)
    }
    constant = registry.constant(package, "alexnet", "Loss", "needs_teacher")
    assert constant is True
    for attribute in ("later", "needs"):
        with pytest.raises(ValueError, match=f"Loss says no '{attribute}'"):
            registry.constant(package, "alexnet", "Loss", attribute)
    with pytest.raises(SpecError, match="did you mean 'alexnet'"):
        registry.constant(package, "alexnt", "Loss", "needs_teacher")


def test_a_source_is_parsed_once_and_again_when_it_has_changed(
    package, tmp_path, monkeypatch
):
    parsed, parse = [], ast.parse

    def counting(*arguments):
        parsed.append(arguments)
        return parse(*arguments)

    monkeypatch.setattr(ast, "parse", counting)
    for _ in range(3):
        assert registry.signature(package, "alexnet") == {"depth": int}
    assert len(parsed) == 1
    file = tmp_path / package / "alexnet.py"
    file.write_text("def build(*, depth: int, width: float): ...\n")
    assert registry.signature(package, "alexnet") == {
        "depth": int,
        "width": float,
    }
    # Of one length, so that the time alone tells.
    file.write_text("def build(*, depth: int, width: bool, ): ...\n")
    os.utime(file, ns=(1, 1))
    assert registry.signature(package, "alexnet")["width"] is bool
    assert len(parsed) == 3


@pytest.mark.parametrize(
    "source",
    [
        # Text that looks like the definition, or like its end.
        "'''\ndef build(fake: int):\n'''\ndef build(n: str): ...\n",
        "def build(\n    n: str = '''a:\nb''',\n): ...\n",
        "def builder(n: int): ...\ndef build(n: str): ...\n",
        "class build:\n    '''A\nB'''\n\n    n: str = ''\n",
        "class build:\n    n: str\n    def __call__(self): ...\n",
        "class build:\n    def __call__(self): ...\n    n: str\n",
        "class build:\n    @property\n    def a(self): ...\n\n    n : str\n",
        "if True:\n    x = 1\n\n\ndef build(n: str = 'x:'):\n    ...",
        "def build(n: str): return 1\n",
        "def build (n: str):\n    return 1\n",
    ],
)
def test_the_signature_is_read_whatever_stands_around_it(
    package, tmp_path, source
):
    (tmp_path / package / "other.py").write_text(source)
    assert registry.signature(package, "other") == {"n": str}


# --- modules that are damaged


def assert_refused(name, package):
    """Every reader says in one line which file it is."""
    for find in (
        lambda: registry.get(package, name),
        lambda: registry.arguments(package, name),
        lambda: registry.constant(package, name, "Loss", "kind"),
    ):
        with pytest.raises(SpecError) as caught:
            find()
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"def build(:\n",
        b"def build(*, depth: int): ...\nx = '",
        b"\xff\xfe",
        b"x = 1\0",
        b"(" * 1000,
        b"  x = 1\n y = 2\n",
        b"x = 0777",
    ],
    ids=repr,
)
def test_a_module_that_is_no_python_is_one_line(package, content):
    folder = pathlib.Path(registry._folder(package))
    (folder / "broken.py").write_bytes(content)
    if b"build(*" in content:  # the head alone can be read
        with pytest.raises(SpecError, match="SyntaxError"):
            registry.get(package, "broken")
    else:
        assert_refused("broken", package)


def _folder(file):
    file.mkdir()


def _link(file):
    file.symlink_to("nowhere")


@pytest.mark.parametrize("make", [_folder, _link])
def test_what_is_no_file_is_one_line(package, make):
    make(pathlib.Path(registry._folder(package)) / "broken.py")
    assert_refused("broken", package)


def test_a_damaged_module_that_a_part_imports_is_one_line(package):
    folder = pathlib.Path(registry._folder(package))
    (folder / "_damaged.py").write_text("def (")
    (folder / "broken.py").write_text(f"import {package}._damaged")
    with pytest.raises(SpecError, match="_damaged.py cannot be read as Python"):
        registry.get(package, "broken")


@pytest.mark.parametrize("content", [b"def (", b"\xff", b"a = 0\0"])
def test_no_line_on_a_damaged_part(package, content):
    folder = pathlib.Path(registry._folder(package))
    (folder / "broken.py").write_bytes(content)
    with pytest.raises(SpecError, match="broken.py cannot be read as") as error:
        registry.summary(package, "broken")
    assert "\n" not in str(error.value)


def test_what_a_part_lacks_is_the_parts_own_error(package):
    with pytest.raises(ModuleNotFoundError, match="no_such_library_anywhere"):
        registry.get(package, "resnet")


def test_a_flipped_bit_of_a_module_is_read_or_one_line(package):
    folder = pathlib.Path(registry._folder(package))
    data = b"class Loss:\n    kind: str = 'nll'\n\ndef build(*, a: int): ...\n"
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / f"m{bit}.py").write_bytes(damaged)
        for find in (
            lambda name: registry.arguments(package, name),
            lambda name: registry.constant(package, name, "Loss", "kind"),
        ):
            try:
                find(f"m{bit}")
            except SpecError as error:
                assert "\n" not in str(error)
