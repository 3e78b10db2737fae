"""docs/from_template.md names every script of the template, and commands and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from flowyard.cli.main import cli
from flowyard.migration.model import KINDS
from flowyard.migration.scripts import SCRIPTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "from_template.md").read_text("utf-8")
QUOTED = re.findall(r"`(flowyard [^`]+)`", PAGE)
LINES = re.findall(r"^(flowyard .+)$", PAGE, re.MULTILINE)
OURS = [script.command for script in SCRIPTS.values() if script.command]
SOURCES = sorted((ROOT / "src" / "flowyard" / "migration").glob("*.py"))
ADVISED = re.compile(r"flowyard ((?:flow|run|experiment|connection|evaluator|migrate)(?: [a-z]+)?)(?=[ .;:,'\"\\]|$)")


@pytest.mark.parametrize("words", sorted({*QUOTED, *LINES, *OURS}))
def test_commands_exist_and_their_options_parse(words: str) -> None:
    command: click.Command = cli
    rest = shlex.split(words, comments=True)[1:]
    context = click.Context(cli)
    while isinstance(command, click.Group) and rest:
        if command.name == "release" and rest[0] not in command.list_commands(context):
            rest.insert(0, "run")  # which it is by default
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{words}: there is no command {name!r}"
        command = found
        context = click.Context(command, parent=context, info_name=name)
    command.parse_args(context, rest)


def test_every_script_is_on_the_page() -> None:
    missing = [module for module in SCRIPTS if module.rpartition(".")[2] not in PAGE]
    assert missing == []


def test_every_kind_of_finding_is_explained_in_the_same_words() -> None:
    for kind, meaning in KINDS.items():
        assert f"| {kind} | {meaning} |" in PAGE


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_advice_names_commands_that_exist(source: Path) -> None:
    for words in ADVISED.findall(source.read_text("utf-8")):
        command: click.Command | None = cli
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(cli), word)
                assert command is not None, f"{source.name}: flowyard {words}"
