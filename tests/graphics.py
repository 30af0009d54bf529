"""A made-up `nvidia-smi` for machines that have no graphics card."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.cards import Card


def fake_cards(folder: Path, monkeypatch: pytest.MonkeyPatch, found: Sequence[Card]) -> None:
    """Puts an `nvidia-smi` in front of the PATH that lists these cards, and takes no others."""
    lines = [
        f"{card.index}, {card.uuid}, {card.name}, {card.total >> 20}, {card.free >> 20}" for card in found
    ]
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
