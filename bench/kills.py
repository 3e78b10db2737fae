"""``python -m bench.kills``: a run of model calls is killed at random moments, again and again, and resumed until done.

Checked of every run: no line lost, none twice, ``outputs.jsonl`` byte for byte that of an undisturbed run, no more
model calls than lines plus those that were in flight at the kills, and no process left over. Exits 1 when something is
wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.flows import llm_flow, write_data
from bench.mock import Mock, mock_model
from bench.places import FLOWYARD, SCRATCH, own_env
from bench.timing import say
from bench.tree import tree

_HOME = SCRATCH / "kills_home"
_LEFT_OVER_S = 10.0


@dataclass(slots=True)
class Story:
    """What happened to one run."""

    name: str
    kills: int = 0
    starts: int = 0
    calls: int = 0
    stored_before: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setting:
    lines: int
    in_flight: int
    flow: Path
    data: Path
    mock: Mock

    def start(self, name: str, *, resume: bool) -> subprocess.Popen[str]:
        """The run, or what is left of it, in a process group of its own."""
        made = ["--flow", self.flow, "--data", self.data, "--name", name]
        verb = ["resume", name] if resume else ["create", *made]
        options = ["--concurrency", str(self.in_flight), "--workers", "2", "--no-cache", "--home", _HOME, "--json"]
        return subprocess.Popen(
            [str(word) for word in (*FLOWYARD, "run", *verb, *options)],
            env=own_env(BENCH_MODEL=self.mock.connection),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def main() -> int:
    options = _options()
    rng = random.Random(options.seed)
    shutil.rmtree(_HOME, ignore_errors=True)
    with mock_model(options.latency) as mock:
        setting = Setting(options.lines, options.in_flight, llm_flow(), write_data("question", options.lines), mock)
        started = time.monotonic()
        wanted = _undisturbed(setting)
        undisturbed_s = time.monotonic() - started
        stories: list[Story] = []
        while sum(story.kills for story in stories) < options.kills:
            left = options.kills - sum(story.kills for story in stories)
            stories.append(_killed_run(setting, f"killed_{len(stories)}", left, rng, undisturbed_s))
            _check(stories[-1], setting, wanted)
            say(_told(stories[-1]))
    problems = [problem for story in stories for problem in story.problems]
    kills, calls = sum(story.kills for story in stories), sum(story.calls for story in stories)
    say(f"{kills} kills over {len(stories)} runs of {options.lines} lines, {calls} calls, seed {options.seed}")
    say("\n".join(problems) or "Nothing lost, nothing twice, the same bytes.")
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--lines", type=int, default=500)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds of a model call (default 0.1)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    return parser.parse_args()


def _undisturbed(setting: Setting) -> bytes:
    _finish(setting.start("undisturbed", resume=False), "undisturbed")
    return (_HOME / "runs" / "undisturbed" / "outputs.jsonl").read_bytes()


def _killed_run(setting: Setting, name: str, most: int, rng: random.Random, undisturbed_s: float) -> Story:
    """Start or resume and kill, up to ``most`` times or until the run gets to its end by itself; then let it end."""
    story = Story(name)
    before = setting.mock.counts()["begun"]
    # Much of a start is loading; so short a time kills there too, and still leaves a line or two each time.
    longest_s = undisturbed_s * 0.5
    while story.kills < most:
        process = _start(setting, story)
        try:
            process.wait(rng.uniform(0, longest_s))
        except subprocess.TimeoutExpired:
            _kill(process, story)
            story.stored_before.append(_stored(name))
            continue
        _require_ended(process, story)
        break
    else:
        _finish(_start(setting, story), name)
    story.calls = setting.mock.counts()["begun"] - before
    return story


def _start(setting: Setting, story: Story) -> subprocess.Popen[str]:
    """Resume when there is a run to resume: a kill can come before the run exists."""
    story.starts += 1
    return setting.start(story.name, resume=_exists(story.name))


def _exists(name: str) -> bool:
    words = [*FLOWYARD, "run", "show", "--name", name, "--home", _HOME, "--json"]
    return subprocess.run(words, env=own_env(), capture_output=True, check=False).returncode == 0


def _kill(process: subprocess.Popen[str], story: Story) -> None:
    """SIGKILL to the whole group; nothing that it started may live on."""
    below = tree(process.pid)[1:]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    story.kills += 1
    until = time.monotonic() + _LEFT_OVER_S
    while left := [pid for pid in below if _lives(pid)]:
        if time.monotonic() > until:
            story.problems.append(f"{story.name}: processes {left} live on after kill {story.kills}")
            return
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        stat = Path("/proc", str(pid), "stat").read_text("ascii", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _require_ended(process: subprocess.Popen[str], story: Story) -> None:
    _, errors = process.communicate()
    if process.returncode != 0:
        story.problems.append(f"{story.name}: start {story.starts} ended with {process.returncode}: {errors[-1000:]}")


def _finish(process: subprocess.Popen[str], name: str) -> None:
    _, errors = process.communicate()
    if process.returncode != 0:
        sys.exit(f"Run {name} ended with {process.returncode}:\n{errors}")


def _stored(name: str) -> int:
    file = _HOME / "runs" / name / "lines.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _check(story: Story, setting: Setting, wanted: bytes) -> None:
    folder = _HOME / "runs" / story.name
    stored = (folder / "lines.jsonl").read_text("utf-8").splitlines()
    numbers = Counter(json.loads(line)["line_number"] for line in stored)
    lost = sorted(set(range(setting.lines)) - set(numbers))
    twice = sorted(number for number, count in numbers.items() if count > 1)
    if lost:
        story.problems.append(f"{story.name}: lines lost: {lost}")
    if twice:
        story.problems.append(f"{story.name}: lines twice: {twice}")
    if (folder / "outputs.jsonl").read_bytes() != wanted:
        story.problems.append(f"{story.name}: outputs.jsonl differs from the undisturbed run's")
    most = setting.lines + setting.in_flight * story.kills
    if story.calls > most:
        story.problems.append(f"{story.name}: {story.calls} calls, more than {most}")


def _told(story: Story) -> str:
    shown = ", ".join(map(str, story.stored_before[:: max(1, len(story.stored_before) // 10)]))
    return f"{story.name}: {story.kills} kills, {story.calls} calls; lines stored along the way: {shown}"


if __name__ == "__main__":
    sys.exit(main())
