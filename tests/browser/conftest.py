"""A served dashboard and a browser that writes down every request and every complaint."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

CALM = """() => !document.querySelector('[data-testid=stSpinner], [data-testid=stSkeleton]')
  && !document.querySelector('[data-stale=true]')"""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


def need(condition, what):
    """Skip where a developer lacks something; fail where the tests must be complete."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def upload_folder(tmp_path_factory):
    """Where the dashboard keeps uploads."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def server(tmp_path_factory, upload_folder):
    """Address of a dashboard that serves the sample data."""
    need((ROOT / "sample_data").is_dir(), "sample_data is missing")
    port, log = _free_port(), tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    environment = {name: value for name, value in os.environ.items() if name != "GWINESS_DATA"}
    environment["GWINESS_UPLOADS"] = str(upload_folder)
    environment["GWINESS_JOBS"] = str(tmp_path_factory.mktemp("jobs"))
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(20)
    text = log.read_text(errors="replace")
    assert "Traceback" not in text, text[-3000:]


def _wait_until_healthy(address, process, log):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the dashboard did not start: {log.read_text(errors='replace')[-2000:]}")


@dataclass
class Visit:
    """One page and what happened on it."""

    page: object
    address: str
    outside: list = field(default_factory=list)
    complaints: list = field(default_factory=list)

    def open(self, path="/"):
        self.page.goto(self.address + path)
        self.page.wait_for_selector(".gw-head", timeout=90_000)

    def count(self, locator, count, timeout=90):
        """Wait until there are exactly ``count``; what is drawn together may come apart."""
        until = time.monotonic() + timeout
        while (found := locator.count()) != count:
            if time.monotonic() > until:
                pytest.fail(f"{locator}: {found}, expected {count}; errors: {self.errors()}")
            self.page.wait_for_timeout(250)

    def heatmaps(self, count, timeout=180):
        """Wait until exactly ``count`` heatmaps are drawn; a separation may have to run first."""
        self.count(self.page.locator(".heatmaplayer image"), count, timeout)

    def calm(self):
        """Wait until nothing is drawn anew."""
        self.page.wait_for_function(CALM, timeout=180_000)
        self.page.wait_for_timeout(500)

    def copied_link(self):
        """What the button puts on the clipboard."""
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.get_by_role("button", name="Copy link").click()
        self.page.get_by_role("button", name="Copied").wait_for(timeout=30_000)
        return self.page.evaluate("navigator.clipboard.readText()")

    def errors(self):
        """Text of every error on the page."""
        return self.page.locator('[data-testid="stAlertContentError"]').all_text_contents()

    def check(self):
        """Nothing went wrong, and nobody outside was asked."""
        assert self.errors() == []
        assert self.page.locator('[data-testid="stException"]').count() == 0
        assert self.complaints == []
        assert self.outside == []


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A running browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    need(
        shutil.which(CHROMIUM) is not None, f"{CHROMIUM} is missing: run tests/install_chromium.sh"
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, server):
    """A fresh page of 1440 × 900."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    visit = Visit(page, server)
    inside = (server, server.replace("http", "ws"), "data:", "blob:")
    page.on(
        "request",
        lambda request: request.url.startswith(inside) or visit.outside.append(request.url),
    )
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: message.type == "error" and visit.complaints.append(message.text),
    )
    yield visit
    context.close()
