"""Start the machine's Chromium under Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


class ChromiumMissingError(Exception):
    """Chromium or Playwright is not installed; the text names the remedy."""


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Yield a Chromium without a window.

    Raises:
        ChromiumMissingError: it, or Playwright, is not installed.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise ChromiumMissingError("needs Chromium (apt-get install chromium), which is absent")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise ChromiumMissingError("needs Playwright (extra `dev`), which is absent") from None
    # Chromium refuses its sandbox to root.
    options = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()
