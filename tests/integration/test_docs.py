"""The documentation is true: its Python blocks run, its lists are complete, its parts exist.

A page's blocks share one namespace and run from top to bottom, as a reader would type them in.
A `python` block must run through; a `pycon` block must print what it says.
"""

from __future__ import annotations

import doctest
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import twat_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "src_docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
GUIDE = DOCS / "user-guide" / "decorators.md"

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
RUNNABLE = {"python", "pycon"}
NOT_RUN = {"sh", "text", "toml", "yaml", "markdown", "json"}
CONTROLS = (
    "cache_info",
    "cache_clear",
    "cache_parameters",
    "__wrapped__",
    "invalidate",
    "refresh",
    "peek",
    "contains",
    "put",
    "cache_key",
    "stats",
    "items",
    "resize",
    "sweep",
    "close",
    "save",
    "load",
    "warm",
)


class Block(NamedTuple):
    """A fenced block: its language, the line its first line is on (from 0), its text."""

    language: str
    line: int
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page, those indented in a list included."""
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines()):
        fence = FENCE.match(line)
        if opened is None:
            if fence is not None:
                opened = fence["indent"], fence["info"].strip(), number + 1
                lines = []
        elif line.strip() == "```":
            yield Block(opened[1], opened[2], "\n".join(lines) + "\n")
            opened = None
        else:
            lines.append(line.removeprefix(opened[0]))
    assert opened is None, f"{page}: the fence before line {opened[2] + 1} is never closed"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def namespace() -> Iterator[dict[str, Any]]:
    """A fresh module's namespace, found in `sys.modules` as long as the page runs."""
    module = ModuleType("page_under_test")
    sys.modules[module.__name__] = module
    yield module.__dict__
    del sys.modules[module.__name__]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    unknown = [block for block in blocks(page) if block.language not in RUNNABLE | NOT_RUN]
    assert [] == unknown


@pytest.mark.parametrize(
    "page", [page for page in PAGES if RUNNABLE & {b.language for b in blocks(page)}], ids=name_of
)
def test_blocks_run(
    page: Path,
    namespace: dict[str, Any],
    tc: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TWAT_CACHE_DIR", str(tmp_path))  # nothing is kept where a user keeps it
    monkeypatch.setitem(sys.modules, "twat_cache", tc)  # what the page's imports get
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for block in blocks(page):
        if block.language == "python":
            # Empty lines in front: a traceback names the page's own line.
            code = compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True)
            exec(code, namespace)
        elif block.language == "pycon":
            told: list[str] = []
            examples = doctest.DocTestParser().get_doctest(
                block.text, namespace, name_of(page), str(page), block.line
            )
            runner.run(examples, out=told.append, clear_globs=False)
            namespace.update(examples.globs)
            assert 0 == runner.failures, "".join(told)


def api_pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))


@pytest.mark.parametrize("name", sorted(twat_cache.__all__))
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", api_pages())


OPTIONS = [
    name
    for name, parameter in inspect.signature(twat_cache.mcache).parameters.items()
    if parameter.kind is not parameter.VAR_KEYWORD
]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_has_its_section_and_its_row(name: str) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert f"\n### {name}\n" in guide
    assert f"\n| [`{name}`](#{name}) |" in guide


def test_the_reference_gives_the_true_defaults() -> None:
    reference = (DOCS / "api" / "decorators.md").read_text(encoding="utf-8")
    signature = reference[reference.index("\nmcache(\n") :].partition("\n)\n")[0]
    written = dict(re.findall(r"^    (\w+): .* = (.+),$", signature, re.MULTILINE))
    parameters = inspect.signature(twat_cache.mcache).parameters
    assert {name: repr(parameters[name].default) for name in OPTIONS} == {
        name: default.replace('"', "'") for name, default in written.items()
    }


def test_no_section_is_about_an_option_that_does_not_exist() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    options = guide[guide.index("\n## mcache\n") : guide.index("\n## Controls\n")]
    sections = re.findall(r"^### (\w+)$", options, re.MULTILINE)
    assert OPTIONS == sections


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_in_the_guide(name: str) -> None:
    @twat_cache.mcache
    def decorated() -> int:
        return 1

    assert hasattr(decorated, name)
    assert f"`f.{name}" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("field", twat_cache.Stats._fields)
def test_every_counter_is_in_the_guide(field: str) -> None:
    assert f"`{field}`" in GUIDE.read_text(encoding="utf-8")


def test_the_site_shows_every_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [
        page.relative_to(DOCS).as_posix()
        for page in DOCS.rglob("*.md")
        if "changes" not in page.relative_to(DOCS).parts
        and not re.search(
            rf"[ :]{re.escape(page.relative_to(DOCS).as_posix())}$", navigation, re.MULTILINE
        )
    ]
    assert [] == missing


def test_the_readme_links_to_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", readme)
    assert links
    assert [] == [link for link in links if "://" not in link and not (ROOT / link).exists()]
