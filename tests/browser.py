"""A real browser that reads a page."""

import shutil
import subprocess
from pathlib import Path

from tests.servers import missing

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,900",
    # Scripts of the page get this long, by a clock that does not wait for the wall.
    "--virtual-time-budget=5000",
)


def _chromium(folder: Path, *arguments: str) -> str:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("chromium")
    command = [program, *_OPTIONS, f"--user-data-dir={folder / 'browser'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def page(url: str, folder: Path) -> str:
    """The page as its scripts have built it."""
    return _chromium(folder, "--dump-dom", url)


def screenshot(url: str, folder: Path) -> Path:
    """A picture of the page."""
    path = folder / "page.png"
    _chromium(folder, f"--screenshot={path}", url)
    return path
