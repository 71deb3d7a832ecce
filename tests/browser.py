"""A headless Chromium that opens a page and keeps account of it, over the Chrome DevTools Protocol.

    with Browser() as browser:
        page = browser.visit("http://127.0.0.1:8000/index.html", width=390, scheme="dark")
        page.failures, page.complaints, browser.evaluate("document.title")

Only what the tests of the book need: requests, failures, console, JavaScript, pictures.
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websocket import WebSocket, WebSocketTimeoutException, create_connection

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "no browser: apt-get install --no-install-recommends chromium"
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which Chromium demands of root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)
HEIGHT = 900
PATIENCE = 120.0  # seconds until a browser that does not answer counts as broken
# What a page may still do once it has loaded: typeset its mathematics, fetch the fonts for it, and draw the result.
SETTLED = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise(done => setTimeout(done, 300));
})()"""
REDRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def find_program() -> str | None:
    """The path of an installed browser that speaks the protocol, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@dataclass
class Page:
    """What happened while a page was opened."""

    url: str
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # requests without an answer, or answered by an error
    complaints: list[str] = field(default_factory=list)  # errors and warnings on the console, and exceptions
    loads: set[str] = field(default_factory=set)  # the documents whose load event has come

    def note(self, method: str, event: dict[str, Any]) -> None:
        """Take one event of the browser into account."""
        match method:
            case "Page.lifecycleEvent" if event["name"] == "load":
                self.loads.add(event["loaderId"])
            case "Network.requestWillBeSent":
                self.requests.append(event["request"]["url"])
            case "Network.loadingFailed":
                self.failures.append(f"{event['type']}: {event['errorText']}")
            case "Network.responseReceived" if event["response"]["status"] >= 400:
                self.failures.append(f"{event['response']['url']}: {event['response']['status']}")
            case "Runtime.consoleAPICalled" if event["type"] in ("error", "warning", "assert"):
                said = (str(part.get("value", part.get("description", ""))) for part in event["args"])
                self.complaints.append(f"{event['type']}: {' '.join(said)}")
            case "Runtime.exceptionThrown":
                details = event["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description", details["text"]))
            case "Log.entryAdded" if event["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{event['entry']['level']}: {event['entry']['text']}")


class Browser:
    """One browser process with one tab; started on entering the context, gone with its data on leaving it."""

    def __enter__(self) -> "Browser":
        program = find_program()
        if program is None:
            raise FileNotFoundError(INSTALL)
        with ExitStack() as stack:
            data = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            command = [program, *FLAGS, f"--user-data-dir={data}", "about:blank"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            self._socket: WebSocket = create_connection(tab_address(Path(data)), timeout=PATIENCE, suppress_origin=True)
            stack.callback(self._socket.close)
            self._page, self._number = Page("about:blank"), 0
            for domain in ("Page", "Network", "Runtime", "Log"):
                self.send(f"{domain}.enable")
            self.send("Page.setLifecycleEventsEnabled", enabled=True)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and return its result; events that arrive meanwhile go to the page's account."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while (answer := self._receive()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _receive(self) -> dict[str, Any]:
        try:
            message = json.loads(self._socket.recv())
        except WebSocketTimeoutException:
            raise TimeoutError(f"{self._page.url}: no word from the browser for {PATIENCE:.0f} s") from None
        if "method" in message:
            self._page.note(message["method"], message["params"])
        return message

    def _window(self, width: int, phone: bool) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=phone)

    def resize(self, width: int, phone: bool) -> None:
        """Give the open page a window of another width, and let it be drawn anew."""
        self._window(width, phone)
        self.evaluate(REDRAWN)

    def visit(self, url: str, width: int = 1280, scheme: str = "light", phone: bool = False) -> Page:
        """Open an address in a window of this width and colour scheme, and wait until the page has settled."""
        self._window(width, phone)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send("Page.navigate", url="about:blank")
        self.evaluate("0")  # what the last page still asked for is told now, and is not put down to this one
        self._page = page = Page(url)
        answer = self.send("Page.navigate", url=url)
        if "errorText" in answer:
            raise ConnectionError(f"{url}: {answer['errorText']}")
        while answer["loaderId"] not in page.loads:
            self._receive()
        self.evaluate(SETTLED)
        return page

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression on the page, awaited where it is a promise."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(
                f"{self._page.url}: {answer['exceptionDetails'].get('exception', {}).get('description')}"
            )
        return answer["result"].get("value")

    def picture(self, target: Path) -> None:
        """Save what the window shows as PNG."""
        target.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


def tab_address(data: Path) -> str:
    """The address of the one tab of the browser that keeps its data in this folder, once it has started."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        port = data / "DevToolsActivePort"
        if port.exists() and (lines := port.read_text().splitlines()):
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=PATIENCE) as answer:
                tabs = [target for target in json.load(answer) if target["type"] == "page"]
            if tabs:
                return tabs[0]["webSocketDebuggerUrl"]
        time.sleep(0.05)
    raise TimeoutError(f"the browser did not start within {PATIENCE:.0f} s")
