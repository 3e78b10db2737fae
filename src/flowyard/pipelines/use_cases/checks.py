"""Checks of a use case's files before anything is run: each is done, and each says what is wrong."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from flowyard._util.yamlfile import read_yaml
from flowyard.deploy.config.read import find_deploy_config, read_deploy_config
from flowyard.deploy.endpoint_test.files import require_usable
from flowyard.errors import FlowyardError
from flowyard.pipelines.use_cases.footprint import iter_kept
from flowyard.reports.junit import xml_text

__all__ = ["FileCheck", "checked", "file_checks", "junit_of_checks", "run_own_tests"]

_TESTS_S = 1_800
_MOST_TOLD = 4_000


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One check. ``state`` is in the words of endpoint tests; ``message`` says what is wrong, or was left out."""

    name: str
    state: str
    message: str = ""


def checked(name: str, work: Callable[[], object]) -> FileCheck:
    """What came of a check that raises when something is wrong; of our own errors all that they say."""
    try:
        said = work()
    except FlowyardError as error:
        return FileCheck(name, "failed", f"{error}\n{error.hint}" if error.hint else str(error))
    except (OSError, SyntaxError, ValueError) as error:
        return FileCheck(name, "failed", str(error))
    return FileCheck(name, "passed", said if isinstance(said, str) else "")


def file_checks(folder: Path) -> Iterator[FileCheck]:
    """YAML and Python of the folder can be read, ruff finds nothing, and where it is deployed is said rightly."""
    files = list(iter_kept(folder))
    yield checked("YAML", lambda: [read_yaml(file) for file in files if file.suffix in (".yaml", ".yml")])
    code = [file for file in files if file.suffix == ".py" and not file.is_symlink()]
    if code:
        yield checked("Python", lambda: [ast.parse(file.read_bytes(), str(file)) for file in code])
        yield _linted(folder)
    if find_deploy_config(folder) is not None:
        yield checked("deployment", lambda: _deployment(folder))


def run_own_tests(folder: Path) -> FileCheck | None:
    """The use case's tests in ``tests/``; None where there are none."""
    tests = folder / "tests"
    if not any(tests.glob("**/test_*.py")):
        return None
    if find_spec("pytest") is None:
        return FileCheck("tests", "failed", f"{tests} cannot be run: install pytest (pip install pytest).")
    return _program("tests", [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], folder)


def junit_of_checks(name: str, checks: Sequence[FileCheck]) -> bytes:
    """The checks as JUnit XML in UTF-8."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only this form needs it

    failed = str(sum(check.state == "failed" for check in checks))
    facts = {"tests": str(len(checks)), "failures": failed, "errors": "0"}
    root = ElementTree.Element("testsuites", facts, name="flowyard pipeline validate")
    title = xml_text(name)
    suite = ElementTree.SubElement(root, "testsuite", facts, name=title)
    for check in checks:
        case = ElementTree.SubElement(suite, "testcase", name=xml_text(check.name), classname=title)
        if check.state == "failed":
            said = xml_text(check.message)
            ElementTree.SubElement(case, "failure", message=said.partition("\n")[0]).text = said
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _deployment(folder: Path) -> str:
    config = read_deploy_config(folder)
    for environment in config.environments:
        require_usable(environment.test)
    return ", ".join(dict.fromkeys(each.name for each in config.environments))


def _linted(folder: Path) -> FileCheck:
    beside = Path(sys.executable).parent / "ruff"
    program = str(beside) if beside.is_file() else shutil.which("ruff")
    if program is None:
        return FileCheck("lint", "passed", "ruff is not installed, so Python was only parsed")
    return _program("lint", [program, "check", "--no-cache", "--quiet", "."], folder)


def _program(name: str, words: Sequence[str], folder: Path) -> FileCheck:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TESTS_S, check=False
        )
    except subprocess.TimeoutExpired:
        return FileCheck(name, "failed", f"It did not end within {_TESTS_S // 60} minutes.")
    if done.returncode != 0:
        told = (done.stdout + done.stderr).decode("utf-8", "replace").strip()[-_MOST_TOLD:]
        return FileCheck(name, "failed", told or f"exit code {done.returncode}")
    summary = done.stdout.decode("utf-8", "replace").strip()[-_MOST_TOLD:]  # stderr may end with anybody's warnings
    return FileCheck(name, "passed", summary.splitlines()[-1] if summary else "")
