"""How the documentation site is built.

``python -m sphinx -W -b html docs docs/_build/html``

The pages are those that are read in the repository; what is written here makes
their links lead somewhere on the site too. Nothing is fetched: formulas become
MathML, which browsers draw themselves.
"""

import os
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx

from ls_tf import __version__

project = "ls_tf"
release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nitpicky = True
# Other libraries' names are not linked: their inventories are on the network.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(np|npt|numpy|scipy|pd|pandas|plt|matplotlib|keras|os|pathlib|etils|"
        r"collections|typing|contextlib|dataclasses|epath)\..*",
    ),
    (
        r"py:.*",
        r"(Any|Array|Arrays|ArrayLike|Axes|Bins|Callable|Criterion|Edge|Figure|"
        r"Iterable|Iterator|Literal|Mapping|NDArray|Order|Path|Record|Sequence|"
        r"float64|int64|float32|int32|bool|dict|list|optional)",
    ),
]

# Only signatures and docstrings are read of the modules that train.
autodoc_mock_imports = ["keras", "tensorflow", "jax"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and units are said in the docstrings
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = True
suppress_warnings = ["myst.header"]  # generated tables may begin at any level

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
# What a notebook's program starts with: one engine, and no line of its own.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Whatever a machine draws with: a notebook shows its pictures.
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

html_theme = "furo"
html_title = f"ls_tf {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_copyright = False

# Pages of the repository that do not lie in docs/, and where the site has them.
_OUTSIDE = {
    "README.md": "more/readme",
    "CHANGELOG.md": "more/changelog",
    "CONTRIBUTING.md": "more/contributing",
    "flags/README.md": "more/flags",
    "results/README.md": "more/records",
    "benchmarks/README.md": "more/benchmarks",
}
_LINK = re.compile(r"\]\(((?!https?:|mailto:|#)[^)#\s]+)(#[^)\s]*)?\)")


def _on_the_site(app: Sphinx, docname: str, source: list[str]) -> None:
    """Leads links to files outside of docs/ to their pages on the site."""
    outer = next((p for p, n in _OUTSIDE.items() if n == docname), None)
    if outer is not None:  # the page is that file
        path = os.path.join(app.srcdir, "..", outer)
        with open(path, encoding="utf-8") as file:
            source[0] = file.read()
    folder = os.path.dirname(outer or f"docs/{docname}")
    depth = "../" * docname.count("/")

    def leading(link: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(folder, link[1]))
        anchor = link[2] or ""
        if target in _OUTSIDE:
            return f"]({depth}{_OUTSIDE[target]}.md{anchor})"
        if target.startswith("docs/"):
            return f"]({depth}{target.removeprefix('docs/')}{anchor})"
        return f"]({depth}../{target}{anchor})"

    source[0] = _LINK.sub(leading, source[0])


def _formula(self: Any, node: nodes.Element) -> None:
    """Writes a formula as MathML."""
    is_block = isinstance(node, nodes.math_block)
    text = latex2mathml.tex2mathml(node.astext(), as_block=is_block)
    self.body.append(f'<div class="math">{text}</div>' if is_block else text)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Adds what is special to this site."""
    app.connect("source-read", _on_the_site)
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
