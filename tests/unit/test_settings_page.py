"""docs/settings.md knows every setting, and no other."""

import re
from pathlib import Path

from scheduler import settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
#: Read by name, before any class of settings exists.
BY_NAME = {"TRIPTYCH_HOME"}


def all_variables() -> dict[str, object]:
    """Every variable with the default of its field."""
    classes = settings._Settings.__subclasses__()
    assert len(classes) >= 4
    return {
        f"{settings.PREFIX}{name.upper()}": field.default
        for each in classes
        for name, field in each.model_fields.items()
    }


def rows() -> dict[str, str]:
    """Variable -> the default as the page gives it."""
    return dict(re.findall(r"^\| `(TRIPTYCH_\w+)` \| (.+?) \|", PAGE.read_text(), re.MULTILINE))


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(rows()) == set(all_variables()) | BY_NAME


def test_plain_defaults_are_the_ones_on_the_page() -> None:
    page = rows()
    for name, default in all_variables().items():
        if isinstance(default, int | float):
            assert float(page[name]) == default, name
        elif isinstance(default, str):
            assert page[name] == f"`{default}`", name
