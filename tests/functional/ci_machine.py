"""What stand-ins for machines of CI systems have in common: folders, git, a Python whose pip installs nothing, bash."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from functional_helper import clean_environment

__all__ = ["CiMachine", "ScriptDone", "git", "plain_name", "put_program"]

_PROGRAMS = "CI_PROGRAMS"

_PYTHON = f"""\
#!/bin/sh
# The flowyard of these tests is put where a script would be.
if [ "$1 $2 $3" = "-m pip install" ]; then
  printf '%s\\n' "$*" >> "${_PROGRAMS}/pip.log"
  printf '#!/bin/sh\\nexec "{sys.executable}" -m flowyard "$@"\\n' > "${_PROGRAMS}/flowyard"
  chmod 755 "${_PROGRAMS}/flowyard"
  exit 0
fi
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$4/bin"
  : > "$4/bin/activate"
  exit 0
fi
exec "{sys.executable}" "$@"
"""


def put_program(path: Path) -> None:
    """Python under that name; it puts ``flowyard`` into the folder of programs, beside ``pip.log``: what was asked."""
    path.write_text(_PYTHON)
    path.chmod(0o755)


def git(folder: Path, *words: str | Path) -> str:
    """What git prints. It reads no settings of this machine."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    people = {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env=clean_environment({**settings, **people}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class ScriptDone(NamedTuple):
    """``text`` is what it printed, with what it told on stderr unless that was kept apart."""

    exit_code: int
    text: str


class CiMachine:
    """One job on a clean machine: its files, a folder for temporary ones, and nothing installed.

    ``environment`` is what the machine has of itself. ``tell`` gets each line that a script prints, while it goes on.
    """

    def __init__(self, place: Path, environment: Mapping[str, str], tell: Callable[[str], None]) -> None:
        self.place, self.tell, self.failed = place, tell, False
        self.sources, self.temporary, self.programs, self.account = (place / each for each in ("s", "t", "bin", "home"))
        for each in (self.sources, self.temporary, self.programs, self.account):
            each.mkdir(parents=True)
        inherited = clean_environment(environment)
        inherited = {name: value for name, value in inherited.items() if not name.startswith(("GITHUB_", "CI"))}
        path = f"{self.programs}{os.pathsep}{inherited['PATH']}"
        self.variables = {**inherited, "HOME": str(self.account), "PATH": path, _PROGRAMS: str(self.programs)}

    def take_files(self, repository: Path, commit: str) -> None:
        """A clone with all branches, at a commit."""
        git(repository, "clone", "-q", f"file://{repository}", self.sources)
        git(self.sources, "checkout", "-q", "--detach", commit)

    def run(self, script: str, variables: Mapping[str, str], *options: str, apart: bool = False) -> ScriptDone:
        """Run a script in bash, with these options. What fails is told, and the machine knows it."""
        file, errors = self.temporary / "step.sh", self.temporary / "stderr.txt"
        file.write_text(script)
        lines = []
        with (
            errors.open("w") as told_apart,
            subprocess.Popen(
                ["bash", "--noprofile", "--norc", *options, file],
                cwd=self.sources,
                env={**self.variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=told_apart if apart else subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            ) as process,
        ):
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    self.tell(line)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if told := errors.read_text():
            self.tell(told)
        if process.returncode:
            self.failed = True
            self.tell(f"[exit code {process.returncode}]\n")
        return ScriptDone(process.returncode, "".join(lines))


def plain_name(name: str) -> str:
    """A name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", name)
