"""Write docs/compatibility.md from the tests that prove it: python scripts/compatibility_page.py [--check]

``tests/compat/features.yaml`` lists the features. Each row of the page counts the flow folders that the feature's
patterns match; what a folder does differently on purpose, and why, is read from its ``expect.json``. A feature names
test files too; one that proves nothing is refused, and so is a flow folder that no feature claims.
"""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
FEATURES = ROOT / "tests" / "compat" / "features.yaml"
FLOWS = ROOT / "tests" / "flows"
PAGE = ROOT / "docs" / "compatibility.md"

HEAD = """\
# What runs as in prompt flow

Written by `scripts/compatibility_page.py` from the tests; a test fails when this page is not what they say.

Each flow folder under [tests/flows](../tests/flows) has an `expect.json`. flowyard runs it, and so does promptflow
1.18.5 itself: both give the same in {same} of {total} folders. The other {different} differ on purpose, each for the
reason given below. Features with test files only are those that promptflow cannot be compared in (a terminal, a server,
a fake of a cloud service), or that it does not have.

| Feature | What it is | Folders | Same | Other tests |
| --- | --- | ---: | ---: | --- |
"""


@dataclass(frozen=True)
class Feature:
    """One row: what it is called, the folders that its patterns match, and test files."""

    name: str
    about: str
    folders: tuple[str, ...]
    tests: tuple[str, ...]


EXTENSIONS = """
## Beyond prompt flow

What prompt flow refuses or leaves as text, and flowyard takes. A flow that uses it no longer runs there.

- References: a bracket right after `output`, as in `${node.output[0]}` and `${node.output['key']}`.
- Chat prompts: the role `developer`; `tool_calls:` as JSON with `true`, `false` and `null`.
- LLM nodes: `max_completion_tokens`, `reasoning_effort` and, for anything newer, `extra_body`; custom connections with
  a `base_url`, for any server that speaks OpenAI's protocol.
- Prompties: `${ENV:NAME}`, no `parameters`, output type `number`, `tool_choice: required`.
- Flex flows: callable objects, `Any` and `list[str]`, and `module:Name` without a file.
- Serving: events (`Accept: text/event-stream`) also where nothing streams, and an event `error` when a stream breaks
  off.

## What flowyard says where prompt flow is silent

The result is the same; a warning with file and line says what people rarely mean.

- A mapping key that is no input, and a default that hides a column of the same name.
- Failed lines: the command exits with 1, also when prompt flow calls the run completed.
- A condition that is not met only because of types (`"true"` is not `true`), and an output that reads a property of a
  node which may be bypassed.
- Outputs that read aggregation nodes and are left out.
- An answer that comes in one piece, because another node reads it too.
- Inputs that a function does not take, or that reach neither the model nor the prompt; variables of a prompt that
  nothing gives.
"""


def main() -> int:
    """Write the page, or with ``--check`` only say whether it is current."""
    text = page(list(features()))
    if sys.argv[1:] == ["--check"]:
        current = PAGE.is_file() and PAGE.read_text("utf-8") == text
        if not current:
            print("docs/compatibility.md is not what the tests say. Next: python scripts/compatibility_page.py")
        return 0 if current else 1
    PAGE.write_text(text, "utf-8")
    return 0


def features() -> Iterator[Feature]:
    """The features in the order of their file. Ends with a message when one proves nothing or a folder has none."""
    names = sorted(file.parent.name for file in FLOWS.glob("*/expect.json"))
    left = set(names)
    for spec in YAML(typ="safe", pure=True).load(FEATURES.read_text("utf-8")):
        patterns, tests = spec.get("folders", []), tuple(spec.get("tests", []))
        found = tuple(name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns))
        left -= set(found)
        missing = [test for test in tests if not (ROOT / test).is_file()]
        unused = [pattern for pattern in patterns if not fnmatch.filter(names, pattern)]
        if missing or unused or not (found or tests):
            sys.exit(f"{FEATURES.name}: {spec['feature']} names what is not there: {missing + unused}")
        yield Feature(spec["feature"], spec["about"], found, tests)
    if left:
        sys.exit(f"{FEATURES.name}: no feature claims the flow folders {sorted(left)}")


def page(rows: list[Feature]) -> str:
    """The whole page."""
    folders = sorted({name for row in rows for name in row.folders})
    reasons = {name: reason for name in folders if (reason := expected(name).get("different_on_purpose"))}
    head = HEAD.format(total=len(folders), same=len(folders) - len(reasons), different=len(reasons))
    table = "".join(row_text(row, reasons) for row in rows)
    listed = "".join(f"- [{name}](../tests/flows/{name}): {reason}\n" for name, reason in reasons.items())
    return f"{head}{table}\n## Different on purpose\n\n{listed}{EXTENSIONS}"


def row_text(row: Feature, reasons: Mapping[str, str]) -> str:
    """One line of the table."""
    same = sum(name not in reasons for name in row.folders)
    tests = ", ".join(f"[{Path(test).stem.removeprefix('test_')}](../{test})" for test in row.tests)
    return f"| {row.name} | {row.about} | {len(row.folders) or ''} | {same if row.folders else ''} | {tests} |\n"


def expected(name: str) -> Any:
    """What one flow folder must do."""
    return json.loads((FLOWS / name / "expect.json").read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
