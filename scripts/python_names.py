"""Write the tables of docs/python.md from the code: python scripts/python_names.py [--check]"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from flowyard._util.promptflow_names import ADVICE, covered_modules

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "python.md"
NAMES = ROOT / "src" / "flowyard" / "compat" / "promptflow"


def main() -> int:
    """Write the page, or with ``--check`` only say whether it is current."""
    text = PAGE.read_text("utf-8")
    current = replaced(replaced(text, "names", names_table()), "advice", advice_table())
    if sys.argv[1:] == ["--check"]:
        if current != text:
            print("docs/python.md is not what the code says. Next: python scripts/python_names.py")
        return int(current != text)
    PAGE.write_text(current, "utf-8")
    return 0


def names_table() -> str:
    """Each module with the names that it exports."""
    rows = [(module, exported(file_of(module))) for module in covered_modules()]
    lines = [f"| `{module}` | {', '.join(f'`{name}`' for name in names)} |" for module, names in rows if names]
    return "\n".join(["| from | import |", "| --- | --- |", *lines])


def advice_table() -> str:
    """What is said about a name that is not covered, by how it starts."""
    lines = [
        f"| `{start}{'…' if start.endswith('_') else ''}` | {advice} |" for start, advice in sorted(ADVICE.items())
    ]
    return "\n".join(["| name | advice |", "| --- | --- |", *lines])


def file_of(module: str) -> Path:
    """The file that answers to a module's name."""
    place = NAMES.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def exported(file: Path) -> list[str]:
    """The names in a file's ``__all__``."""
    for statement in ast.parse(file.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", None) == "__all__":
            return list(ast.literal_eval(statement.value))
    return []


def replaced(text: str, part: str, table: str) -> str:
    """The page with one table in its place."""
    pattern = rf"(<!-- {part}:[^\n]*-->\n).*?(<!-- end of {part} -->)"
    return re.sub(pattern, lambda match: f"{match[1]}\n{table}\n\n{match[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
