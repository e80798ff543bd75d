"""The built documentation: its reference is complete, and every link leads to a page and an anchor.

`make docs` builds it and runs this file; because of its name it is not part of the suite.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.test_reference import PACKAGE, PUBLIC, arguments_of

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "docs"


class Page(HTMLParser):
    """The anchors and links of a page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links = set(), []
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors.add(attributes.get("id"))
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]


@pytest.fixture(scope="module")
def pages():
    return {path: Page(path) for path in SITE.rglob("*.html")}


@pytest.fixture(scope="module")
def descriptions(pages):
    """The description of each public name, as HTML, by its import path."""
    found = {}
    for page in pages.values():
        parts = re.split(rf'<dt class="sig sig-object py" id="({PACKAGE}[\w.]+)">', page.text)
        found.update(zip(parts[1::2], parts[2::2], strict=True))
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_reference_has_public_name_with_every_argument(descriptions, name):
    assert name in descriptions, "add it to a page in docs/reference"
    described = re.findall(r"<strong>(\w+)</strong>", descriptions[name])
    assert set(arguments_of(name)) <= set(described)


def test_every_link_leads_to_a_page_and_an_anchor(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not target.exists() or (url.fragment and unquote(url.fragment) not in pages[target].anchors):
                broken.append(f"{path.relative_to(SITE)}: {link}")
    assert not broken, "\n".join(broken)


def test_every_link_to_the_repository_leads_to_a_file(pages):
    prefix = re.compile(r"https://github\.com/[\w-]+/airflow-provider-renderbus/(?:blob|tree)/main/([^#?]+)")
    links = {unquote(match[1]) for page in pages.values() for match in map(prefix.match, page.links) if match}
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
