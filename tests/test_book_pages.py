"""The built book in a browser: from a narrow phone to a wide screen, light and dark, over HTTP and from the folder.

DEVNET_BOOK_HTML names a site that is built already; otherwise the book is built first.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import INSTALL, Browser, Page, find_program

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = {  # each page is opened once a scheme and kind of device, then its window is made as wide as the others
    ("dark", True): (390,),
    ("light", False): (1280, 768, 1920),
    ("light", True): (390, 320),
    ("dark", False): (1280,),
}
ACCOUNTED = (("dark", True), ("light", False))  # where axe-core looks for what a reader with a disability stumbles over
REFERENCE = "api/"  # its colours are those of all pages; to measure each of its words takes axe minutes
FOLDED = {"notebooks/results.html": "details"}  # tables that look like those above them, too many for axe to measure
SERIOUS = """axe.run(WHERE, {resultTypes: ["violations"], rules: RULES}).then(found => found.violations
  .filter(fault => ["serious", "critical"].includes(fault.impact))
  .map(fault => `${fault.id}: ${fault.nodes.length} times, first ${fault.nodes[0].html.slice(0, 120)}`))"""
LARGEST_PAGE = 1_500_000  # bytes, images left out
INLINE = ("data:", "blob:")
# What the page shows, in terms of this file's questions.
FACTS = r"""(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const main = document.querySelector("main");
  const formulas = all(".math");
  const unrendered = formulas.filter(formula => !formula.querySelector("mjx-container"));
  const raw = [];
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const exempt = walker.currentNode.parentElement.closest("pre, code, script, mjx-container");
    if (!exempt && /\\[(\[]/.test(walker.currentNode.data)) raw.push(walker.currentNode.data);
  }
  const overflows = element => element.getBoundingClientRect().right > innerWidth + 1;
  const unnamed = image => !image.alt.trim() || /\.(png|svg|jpe?g|gif|webp)$/i.test(image.alt);
  return {
    text: main.innerText,
    theme: document.documentElement.dataset.theme,
    formulas: formulas.length,
    untypeset: [...unrendered, ...all("mjx-merror")].map(element => element.innerText).concat(raw),
    tooWide: document.documentElement.scrollWidth > innerWidth
      ? all("*", main).filter(overflows).map(element => element.outerHTML.slice(0, 80)).concat("the page")
      : [],
    withoutAlt: all("img").filter(unnamed).map(image => image.src),
    broken: all("img").filter(image => image.complete && !image.naturalWidth).map(image => image.src),
  };
})()"""


@dataclass(frozen=True)
class Visit:
    """One page of the site in one view: what the browser noted, and what the page shows."""

    name: str
    width: int
    scheme: str
    phone: bool
    page: Page
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that names what was asked of other machines while the book was built."""
    return tmp_path_factory.mktemp("offline") / "refused"


def offline(refused: Path) -> dict[str, str]:
    """The environment in which Python asks this machine alone, and notes what else it would have asked."""
    search = os.pathsep.join(filter(None, [str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": search, "REFUSED": str(refused)}


@pytest.fixture(scope="module")
def site(refused: Path) -> Path:
    """The folder of the built book, made without a network."""
    given = os.environ.get("DEVNET_BOOK_HTML")
    if given:
        return Path(given).resolve()
    command = [sys.executable, "book/_ext/building.py"]
    built = subprocess.run(command, cwd=ROOT, env=offline(refused), capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.fail(f"the book does not build:\n{built.stdout[-2000:]}\n{built.stderr[-4000:]}", pytrace=False)
    return ROOT / "book" / "_build" / "html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; without one the tests are left out, or fail where one is demanded."""
    if find_program() is None:
        demanded = os.environ.get("REQUIRE_BROWSER") == "1" or os.environ.get("CI") == "true"
        (pytest.fail if demanded else pytest.skip)(INSTALL)
    with Browser() as started:
        yield started


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not log."""

    def log_message(self, *parts: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin(site: Path) -> Iterator[str]:
    """The address under which the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def visits(site: Path, browser: Browser, origin: str) -> list[Visit]:
    """Every page of the site in every view."""
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)
    assert "index.html" in pages
    return [visit for name in pages for kind in WIDTHS for visit in visits_of(browser, origin, name, *kind)]


def visits_of(browser: Browser, origin: str, name: str, scheme: str, phone: bool) -> Iterator[Visit]:
    """Open a page, look at it in every width of its kind, and in some kinds let axe-core look, too."""
    first, *others = WIDTHS[scheme, phone]
    page = browser.visit(origin + name, first, scheme, phone)
    yield Visit(name, first, scheme, phone, page, look(browser, name, (scheme, phone) in ACCOUNTED))
    for width in others:
        browser.resize(width, phone)
        yield Visit(name, width, scheme, phone, page, look(browser, name))


def look(browser: Browser, name: str, accounted: bool = False) -> dict[str, Any]:
    """What the open page shows."""
    facts = browser.evaluate(FACTS)
    if accounted:
        browser.evaluate((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + ";null")
        whole = name not in FOLDED and not name.startswith(REFERENCE)
        facts["serious"] = serious(browser, {"include": [["html"]]}, colours=whole)
        if name in FOLDED:
            facts["serious"] += serious(browser, {"exclude": [[FOLDED[name]]]}, colours=True)
    return facts


def serious(browser: Browser, where: dict[str, list[list[str]]], colours: bool) -> list[str]:
    """What axe-core finds serious in a part of the open page."""
    rules = {"color-contrast": {"enabled": colours}}
    return browser.evaluate(SERIOUS.replace("WHERE", json.dumps(where)).replace("RULES", json.dumps(rules)))


def found(visits: list[Visit], what: Callable[[Visit], object]) -> dict[str, object]:
    """What is wrong, by page and width; empty when nothing is."""
    return {f"{visit.name} at {visit.width} px": wrong for visit in visits if (wrong := what(visit))}


ASKED = {
    "a name": "getaddrinfo('example.org', 80)",
    "the old way to ask a name": "gethostbyname('example.org')",
    "a connection": "socket().connect(('192.0.2.1', 80))",
    "a message": "socket(type=SOCK_DGRAM).sendto(b'', ('192.0.2.1', 80))",
}


def python_offline(refused: Path, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from socket import *; {program}"]
    return subprocess.run(command, env=offline(refused), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("call", ASKED.values(), ids=ASKED)
def test_what_asks_another_machine_offline_is_refused_and_noted(tmp_path, call):
    done = python_offline(tmp_path / "refused", call)
    assert done.returncode == 1 and done.stderr.strip().endswith("only this machine may be asked")
    assert (tmp_path / "refused").exists()


def test_what_asks_this_machine_offline_is_answered(tmp_path):
    served = "server = create_server(('localhost', 0)); create_connection(server.getsockname())"
    done = python_offline(tmp_path / "refused", f"{served}; gethostbyname('localhost')")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "refused").exists()


def test_the_book_is_built_without_asking_another_machine(site, refused):
    if "DEVNET_BOOK_HTML" in os.environ:
        pytest.skip("the book was built by another: unset DEVNET_BOOK_HTML")
    assert not refused.exists(), refused.read_text()


def test_no_request_of_any_page_fails(visits):
    assert found(visits, lambda visit: visit.page.failures + visit.facts["broken"]) == {}


def test_no_request_leaves_the_machine(visits, origin):
    assert (
        found(visits, lambda visit: [url for url in visit.page.requests if not url.startswith((origin, *INLINE))]) == {}
    )


def test_the_console_stays_silent(visits):
    assert found(visits, lambda visit: visit.page.complaints) == {}


def test_mathematics_is_typeset_wherever_a_page_has_any(visits):
    assert found(visits, lambda visit: visit.facts["untypeset"]) == {}
    assert any(visit.facts["formulas"] for visit in visits), "no page has mathematics, so nothing was tested"


def test_no_page_scrolls_sideways(visits):
    assert found(visits, lambda visit: visit.facts["tooWide"]) == {}


def test_every_image_has_an_alternative_text(visits):
    assert found(visits, lambda visit: visit.facts["withoutAlt"]) == {}


def test_axe_finds_nothing_serious(visits):
    assert found(visits, lambda visit: visit.facts.get("serious")) == {}


def test_no_page_is_larger_than_a_slow_line_can_bear(site):
    sizes = {path.relative_to(site).as_posix(): path.stat().st_size for path in site.rglob("*.html")}
    assert {name: size for name, size in sizes.items() if size > LARGEST_PAGE} == {}


def test_a_page_is_dark_where_the_reader_prefers_it(visits):
    assert found(visits, lambda visit: visit.facts["theme"] != visit.scheme and visit.facts["theme"]) == {}


def test_the_search_finds_pages_and_shows_where_the_word_stands(browser, origin):
    browser.visit(f"{origin}search.html?q=deviation")
    waiting = """(async () => {
      const shown = () => document.querySelector("#search-results li p.context");
      for (let waited = 0; waited < 5000 && !shown(); waited += 100) await new Promise(done => setTimeout(done, 100));
      return shown()?.innerText;
    })()"""
    assert "deviation" in (browser.evaluate(waiting) or "").lower()


def test_the_book_reads_the_same_from_its_folder_without_a_server(visits, site, browser):
    with_mathematics = next(visit for visit in visits if visit.facts["formulas"])
    for served in (next(visit for visit in visits if visit.name == "index.html"), with_mathematics):
        page = browser.visit((site / served.name).as_uri(), served.width, served.scheme, served.phone)
        facts = browser.evaluate(FACTS)
        assert facts["text"].strip() and facts["text"] == served.facts["text"]
        assert (facts["untypeset"], facts["broken"], page.failures) == ([], [], [])
        assert [url for url in page.requests if not url.startswith((site.as_uri(), *INLINE))] == []


def test_the_numbers_of_the_tables_lie_beside_the_pages_for_programs(site):
    def refuse(constant: str) -> None:
        raise AssertionError(f"results.json holds {constant}, which JSON lacks")

    document = json.loads((site / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert document
