"""The pages as a site: `make docs`. Text is MyST, the API comes from the docstrings."""

import re
from pathlib import Path

import gm_jax

ROOT = Path(__file__).parent.parent

project = "gm_jax"
author = "the authors of gm_jax"
version = release = gm_jax.__version__

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# Headings of all levels can be linked to, as GitHub does.
myst_heading_anchors = 4

# What is called from Python; commands say of themselves what they do.
apidoc_modules = [
    {
        "path": str(ROOT / "gm_jax"),
        "destination": "api",
        "exclude_patterns": [
            str(ROOT / "gm_jax" / inner)
            for inner in (
                "cli",
                "report",
                "results",
                "data/images/image_folder_builder",
                "data/sets/digits_builder",
                "__main__.py",
            )
        ],
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # in docstrings `x` is code, as in Markdown

# A class stands where it is defined and where it is exported.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = f"gm_jax {release}"
html_show_sourcelink = False
html_copy_source = False


def _as_rst(app, what, name, obj, options, lines):
    """Docstrings are plain text: code in backticks, formulas and tables indented."""
    out, in_block = [], False
    for line in lines:
        if what == "module" and line.startswith(" ") and not in_block:
            out += ["", "::", ""]  # keeps its lines as they are
            in_block = True
        elif in_block and line and not line.startswith(" "):
            out.append("")
            in_block = False
        out.append(line if in_block else _escaped(line))
    lines[:] = out


def _escaped(line):
    """Outside of code `*`, `|` and `x_` mean themselves."""
    pieces = line.split("`")
    pieces[::2] = [re.sub(r"([*|]|_\b)", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def setup(app):
    app.connect("autodoc-process-docstring", _as_rst, priority=400)  # before napoleon
