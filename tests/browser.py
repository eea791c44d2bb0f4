"""A headless browser for tests: Playwright with the system's Chromium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMEOUT_MS = 60_000


def require_browser() -> None:
    """Skip the test where Playwright or Chromium is not installed; in CI, fail."""
    missing = "Chromium is not installed: apt-get install chromium" if CHROMIUM is None else ""
    if find_spec("playwright") is None:
        missing = "Playwright is not installed: pip install playwright"
    if missing and "CI" in os.environ:
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


@contextmanager
def open_page(
    url: str, width: int = 1200, height: int = 900, *, dark: bool = False, expected: str | None = None
) -> Iterator["Page"]:
    """A tab that shows an address. At its end, the browser must have reported no error but ``expected`` ones.

    The page must also have loaded nothing from another site. ``expected`` is a part of messages.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(TIMEOUT_MS)
        errors: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        yield page
        assert [error for error in errors if expected is None or expected not in error] == []
        assert [request for request in requests if not request.startswith((url, "blob:", "data:"))] == []
        browser.close()
