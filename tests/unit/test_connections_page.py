"""docs/connections.md names every type, field and setting that there is, and no other."""

import re
from pathlib import Path

import pytest

from flowyard.config import KEYS
from flowyard.llm import CONNECTION_TYPES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "connections.md").read_text("utf-8")


def table(heading: str) -> dict[str, str]:
    """The rows of a section's table by each name in their first cell."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1:3] for line in section.split("|---", 1)[1].splitlines() if line.startswith("| `")]
    return {name: text for names, text in rows for name in re.findall(r"`([^`]+)`", names)}


def test_every_type():
    assert table("Types").keys() == CONNECTION_TYPES.keys()


@pytest.mark.parametrize("kind", sorted(set(CONNECTION_TYPES) - {"custom"}))
def test_every_field_and_which_are_secret(kind: str):
    fields = dict(re.findall(r"(?:^|, ) ?`(\w+)`(★?)", table("Types")[kind]))
    wanted = CONNECTION_TYPES[kind]
    assert set(fields) == set(wanted.FIELDS)
    assert {name for name, star in fields.items() if star} == set(wanted.SECRETS)


def test_every_setting():
    assert table("Configuration").keys() == KEYS.keys()
