"""``MIGRATION.md``: what was found, for people and for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flowyard.migration.model import KINDS, Finding, Migration, counted

__all__ = ["PAGE", "migration_page"]

PAGE = "MIGRATION.md"

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&])")


def migration_page(migration: Migration) -> str:
    """The page. It says the same as long as the repository does."""
    parts = [
        "# Moving to flowyard",
        "What `flowyard migrate` found here. Nothing was run. `flowyard migrate . --write` writes this page anew.",
        "\n".join(["| finding | meaning |", "|---|---|", *(f"| {kind} | {said} |" for kind, said in KINDS.items())]),
    ]
    for case in migration.use_cases:
        environments = f"Environments: {_text(', '.join(case.environments))}." if case.environments else "No overlays."
        parts += [f"## {_text(case.folder)}", f"{environments} {_summary(case.findings)}", *_sections(case.findings)]
    if migration.shared:
        parts += ["## Shared by all use cases", _summary(migration.shared), *_sections(migration.shared)]
    return "\n\n".join(parts) + "\n"


def _summary(findings: Sequence[Finding]) -> str:
    counts = counted(findings)
    return f"Findings: {', '.join(f'{count} {kind}' for kind, count in counts.items())}." if counts else "No findings."


def _sections(findings: Sequence[Finding]) -> Iterable[str]:
    for kind in counted(findings):
        items = (_item(each) for each in findings if each.kind == kind)
        yield "\n".join([f"### {kind.capitalize()}", "", *items])


def _item(finding: Finding) -> str:
    advice = "".join(f"\n  {_text(line)}" for line in finding.advice.splitlines() if line.strip())
    return f"- {_text(finding.where)}: {_text(finding.message)}{advice}"


def _text(text: str) -> str:
    """Text of a repository, of which nothing is markup or a control character."""
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    return _MARKUP.sub(r"\\\1", flat)
