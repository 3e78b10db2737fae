"""A Jenkinsfile as this project writes it, read: its blocks, its scripts, and the stages they are in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Block", "JenkinsScript", "blocks", "read_blocks", "scripts"]

_LONG = re.compile(r"'''(.*?)'''", re.DOTALL)
_SHORT = re.compile(r"'(?:[^'\\\n]|\\.)*'")


class JenkinsScript(NamedTuple):
    """``path`` are the heads of the blocks that it is in; ``variable`` is what gets its output, if anything does."""

    path: tuple[str, ...]
    text: str
    variable: str


@dataclass(frozen=True)
class Block:
    """``head { … }``: lines and blocks, in order. ``@long0@`` in a line stands for the first of all scripts."""

    head: str
    items: list[str | Block] = field(default_factory=list)

    def part(self, head: str) -> Block | None:
        """The block with that head, if there is one."""
        return next((each for each in self.items if isinstance(each, Block) and each.head == head), None)

    def lines(self, head: str) -> list[str]:
        """The lines of the block with that head; none where there is no such block."""
        found = self.part(head)
        return [each for each in found.items if isinstance(each, str)] if found else []


def read_blocks(text: str) -> tuple[Block, list[str]]:
    """All of it as one block, and its scripts as a shell gets them. Fails where braces do not match."""
    plain, long = _without_strings(text)
    path = [Block("")]
    for line in map(str.strip, plain.splitlines()):
        bare = _SHORT.sub(lambda each: each[0].replace("{", "").replace("}", ""), line)
        if bare.endswith("{"):
            made = Block(line.removesuffix("{").strip())
            path[-1].items.append(made)
            path.append(made)
        elif bare == "}":
            assert len(path) > 1, "a brace too many"
            path.pop()
        else:
            assert bare.count("{") == bare.count("}"), bare
            path[-1].items.append(line)
    assert len(path) == 1, f"{path[-1].head} is not closed"
    return path[0], [each.replace("\\\\", "\\") for each in long]


def blocks(text: str) -> list[tuple[str, ...]]:
    """The paths of all blocks, in order. Fails where a string has Groovy's double quotes."""
    assert '"' not in _without_strings(text)[0], "only single quotes: nothing is put in by Groovy"
    return [path for path, item in _walk(read_blocks(text)[0]) if isinstance(item, Block)]


def scripts(text: str) -> list[JenkinsScript]:
    """All scripts, as a shell gets them."""
    top, long = read_blocks(text)
    found = []
    for path, line in _walk(top):
        for number in re.findall(r"@long(\d+)@", line) if isinstance(line, str) else ():
            variable = re.match(r"env\.(\w+) = ", line) if isinstance(line, str) else None
            found.append(JenkinsScript(path, long[int(number)], variable[1] if variable else ""))
    return found


def _without_strings(text: str) -> tuple[str, list[str]]:
    long: list[str] = []

    def kept(found: re.Match[str]) -> str:
        long.append(found[1])
        return f"@long{len(long) - 1}@"

    body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    return _LONG.sub(kept, body), long


def _walk(block: Block, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str | Block]]:
    """All blocks and lines in a block, each with the path to it; a block's own head belongs to its path."""
    for item in block.items:
        if isinstance(item, Block):
            inner = (*path, item.head)
            yield inner, item
            yield from _walk(item, inner)
        else:
            yield path, item
