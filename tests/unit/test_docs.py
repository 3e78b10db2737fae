"""What the documents say is there, is there."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from flowyard.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "flowyard"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
PACKAGES = sorted(init.parent for init in SOURCE.rglob("__init__.py"))
OTHERS_MODULES = SOURCE / "compat" / "promptflow"
"""What lies below is laid out by promptflow, not by us."""
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```", re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_named_make_targets_exist(document: Path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


def test_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in readme
    assert "make test" in readme


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_resolve(document: Path):
    links = LINK.findall(CODE.sub("", document.read_text("utf-8")))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("package", [each for each in PACKAGES[1:] if OTHERS_MODULES not in each.parents], ids=name_of)
def test_architecture_names_every_folder(package: Path):
    if package.parent == SOURCE / "cli" and package.name in cli.list_commands(click.Context(cli)):
        return  # "a folder for each noun" names it
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert f"{package.relative_to(SOURCE).as_posix()}/" in architecture


def test_architecture_names_no_folder_that_is_not_there():
    tree = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("## Tree", 1)[1].split("##", 1)[0]
    named = re.findall(r"^  ([a-z_]+(?:/[a-z_]+)*)/ ", tree, re.MULTILINE)
    assert named
    assert [folder for folder in named if not (SOURCE / folder).is_dir()] == []


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_every_folder_says_what_it_is(package: Path):
    assert ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8")))


def test_the_compatibility_page_says_what_the_tests_say():
    script = [sys.executable, ROOT / "scripts" / "compatibility_page.py", "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
