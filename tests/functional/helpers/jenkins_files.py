"""A Jenkinsfile as this project writes it, read: its blocks, its scripts, and the stages they are in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["JenkinsScript", "blocks", "scripts"]

_LONG = re.compile(r"'''(.*?)'''", re.DOTALL)
_SHORT = re.compile(r"'(?:[^'\\\n]|\\.)*'")


class JenkinsScript(NamedTuple):
    """``path`` are the heads of the blocks that it is in; ``variable`` is what gets its output, if anything does."""

    path: tuple[str, ...]
    text: str
    variable: str


@dataclass
class _Mark:
    number: int


def blocks(text: str) -> list[tuple[str, ...]]:
    """The paths of all blocks, in order. Fails where braces do not match, or a string has Groovy's double quotes."""
    plain, _ = _without_strings(text)
    assert '"' not in plain, "only single quotes: nothing is put in by Groovy"
    return [path for path, _ in _walk(plain)]


def scripts(text: str) -> list[JenkinsScript]:
    """All scripts, as a shell gets them."""
    plain, long = _without_strings(text)
    found = []
    for path, line in _walk(plain, lines=True):
        for number in re.findall(r"@long(\d+)@", line):
            variable = re.match(r"\s*env\.(\w+) = ", line)
            script = long[int(number)].replace("\\\\", "\\")
            found.append(JenkinsScript(path, script, variable[1] if variable else ""))
    return found


def _without_strings(text: str) -> tuple[str, list[str]]:
    long: list[str] = []

    def kept(found: re.Match[str]) -> str:
        long.append(found[1])
        return f"@long{len(long) - 1}@"

    body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    return _LONG.sub(kept, body), long


def _walk(plain: str, *, lines: bool = False) -> list[tuple[tuple[str, ...], str]]:
    path: list[str] = []
    found: list[tuple[tuple[str, ...], str]] = []
    for line in plain.splitlines():
        bare = _SHORT.sub(lambda each: each[0].replace("{", "").replace("}", ""), line).strip()
        if bare.endswith("{"):
            path.append(bare.removesuffix("{").strip())
            found.append((tuple(path), ""))
        elif bare == "}":
            assert path, "a brace too many"
            path.pop()
        else:
            assert bare.count("{") == bare.count("}"), bare
            if lines:
                found.append((tuple(path), line))
    assert not path, f"{path} is not closed"
    return found
