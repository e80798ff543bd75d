"""Builds the documentation: `make docs` makes a site of the Markdown files in this folder."""

from __future__ import annotations

import posixpath
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_renderbus"
sys.path.insert(0, str(ROOT))

from airflow_provider_renderbus import __version__  # the package need not be installed

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = "https://github.com/airflow-provider-renderbus/airflow-provider-renderbus"

project = "airflow-provider-renderbus"
author = "airflow-provider-renderbus maintainers"
release = version = __version__
html_title = "Renderbus provider for Airflow"
extensions = ["myst_parser", "sphinx.ext.autodoc", "autoapi.extension", "sphinx_copybutton"]
exclude_patterns = ["_build"]
suppress_warnings = ["autoapi.python_import_resolution"]  # the build needs no Airflow
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": ["view"],
}

# The pages in reference/ choose what is shown, and in which order.
autoapi_dirs = [str(ROOT / PACKAGE)]
autoapi_generate_api_docs = False
autoapi_python_class_content = "class"
autoapi_options = ["members"]
add_module_names = False
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True

# Packages whose names are defined in their modules, and imported from the package.
EXPORTING = (
    "operators",
    "sensors",
    "hooks",
    "triggers",
    "task_json",
    "renders",
    "reports",
    "farm",
    "api.calls",
)
# What a signature says, and what its reader needs.
SIGNATURE = {
    r" \| [\w.]*\bXComArg\b": "",
    r"(?<![\w'\"])(?:[a-z_]\w*\.)+(?=[A-Z]\w*\b(?!\.))|\bdatetime\.(?=timedelta)": "",
    r"conf\.getboolean\([^)]*\)": "default_deferrable",
    r"\bDEFERRABLE\b": "default_deferrable",
    r"RenderbusHook\.default_conn_name|\bdefault_conn_name\b": "'renderbus_default'",
    r"\bDEFAULT_TIMEOUT\b": "timedelta(days=7)",
}


def add_import_paths(app: Sphinx) -> None:
    """Let the reference find each public name where users import it."""
    objects = app.env.autoapi_all_objects
    for package in (f"{PACKAGE}.{name}" for name in EXPORTING):
        for name in import_module(package).__all__:
            found = (key for key in objects if key.startswith(f"{package}.") and key.endswith(f".{name}"))
            objects[f"{package}.{name}"] = objects[min(found, key=len)]


def shorten_signature(*args: Any) -> tuple[str, str]:
    """Drop module names and XComArg, which each templated argument accepts."""
    *_, signature, returned = args
    for pattern, replacement in SIGNATURE.items():
        signature, returned = (re.sub(pattern, replacement, text or "") for text in (signature, returned))
    return signature, returned


def read_page(_: Sphinx, docname: str, source: list[str]) -> None:
    """Replace `<!-- README: NAME -->` by that section of the README, and links out of this folder by URLs."""
    page, *names = re.split(r"^<!-- README: (.+) -->\n*", source[0], flags=re.MULTILINE)
    names = names[::2]
    if names:
        # What follows the title leads readers on GitHub to the README.
        page = page.partition("\n")[0] + "\n\n"
    source[0] = move_links(page, posixpath.dirname(f"docs/{docname}")) + "".join(
        readme_section(name, keep_heading=len(names) > 1) for name in names
    )
    source[0] = re.sub(r"(?<![`\[])`(Renderbus\w+|build_task_json)`(?![`\]])", link_to_reference, source[0])


def link_to_reference(match: re.Match[str]) -> str:
    """Let the name of a class lead to its arguments."""
    name = match[1]
    packages = (f"{PACKAGE}.{each}" for each in EXPORTING)
    package = next((each for each in packages if name in import_module(each).__all__), None)
    return f"{{py:obj}}`~{package}.{name}`" if package else match[0]


def readme_section(name: str, *, keep_heading: bool) -> str:
    """Return a section of the README for a page in this folder."""
    readme = (ROOT / "README.md").read_text("utf-8")
    _, heading, rest = readme.partition(f"\n## {name}\n")
    section = rest.partition("\n## ")[0]
    text = heading + section if keep_heading else re.sub("^#(?=##)", "", section, flags=re.MULTILINE)
    return move_links(text, "")


def move_links(text: str, folder: str) -> str:
    """Return text from a folder of the repository for a page in docs/."""

    def move(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[1]))
        if not path.startswith("docs/"):
            return f"]({REPOSITORY}/blob/main/{path})"
        return match[0] if folder else f"]({path.removeprefix('docs/')})"

    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", move, text)


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("builder-inited", add_import_paths, priority=900)  # after autoapi's
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("source-read", read_page)
