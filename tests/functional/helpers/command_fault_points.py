"""Gives one command again and again, killed at another place each time; prints what came of it.

    python command_fault_points.py SCENARIO FOLDER [MOST]

The places are those of ``fault_points.py``, and every call that makes, links, renames or removes a name. The process
kills itself before each and after each (after half of it, when it writes). Then everything in the home has to be whole;
the same command, given again in another process, has to come to what it comes to without a kill; and given once more it
has to change nothing. ``MOST`` is the most attempts, drawn with a seed. Each attempt is a forked process.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fault_points import NEVER, UNCLEAN, WRONG, Faults, import_what_is_imported
from functional_helper import ECHO_TOOL, clean_environment, one_node_flow
from whole_home import call, content_below, require_whole

KINDS = ("kill before", "kill after", "fail")
SECRET = "sk-Zq8vT3mLw0/cB+tested=="
PLACE = ("--env", "dev", "--target", "here")
ASK = ("approval", "request", "echo:1", *PLACE, "--report", "report.json", "--by", "Ann")
APPROVE = ("approval", "approve", "ID", "--reason", "seen", "--by", "Bob")
FILES = {
    "data.jsonl": "".join(json.dumps({"x": f"number {n}"}) + "\n" for n in range(3)),
    "folder/a.csv": "a,b\n1,2\n",
    "folder/deep/b.csv": "a,b\n3,4\n",
    "echo/flow.dag.yaml": one_node_flow({"x": "string"}),
    "echo/work.py": ECHO_TOOL,
    "connection.yaml": f"type: open_ai\nname: my_model\napi_key: {SECRET}\n",
    "report.json": json.dumps({"metrics": {"accuracy": 0.9}}),
    "experiment.yaml": """\
name: echo
flow: echo
datasets:
  - name: data
    source: data.jsonl
    mappings: {x: "${data.x}"}
gates:
  - error_rate <= 0.05
""",
}


@dataclass(frozen=True)
class Scenario:
    """A command, what was done before it, and the exit codes it may have when it is given again after a kill.

    ``comes_to`` reads from the home what has to be the same in the end, killed or not; ``is_new_each_time`` is a
    command that is meant to take the place of what was there.
    """

    words: tuple[str, ...]
    before: Sequence[tuple[str, ...]] = ()
    again: tuple[int, ...] = (0,)
    comes_to: Callable[[Path], Any] = field(default=lambda _: None)
    is_new_each_time: bool = False


def versions(name: str, root: Path) -> Any:
    shown = call(root, "registry", "show", name, "--json").json()
    return [(each["version"], each["digest"], [_fact(fact) for fact in each["lineage"]]) for each in shown["versions"]]


def _fact(fact: dict[str, Any]) -> Any:
    return fact["kind"], fact["value"].get("decision"), fact["value"].get("digest")


def aliases(root: Path) -> Any:
    listed = call(root, "registry", "alias", "list", "data", "--json").json()
    return listed["aliases"], [(each["alias"], each["version"], each["reason"]) for each in listed["changes"]]


def requests(root: Path) -> Any:
    """Which requests stand; those that a newer one took the place of stand no more."""
    listed = call(root, "approval", "list", "--json").json()
    return [(each["state"], each["requested_by"]) for each in listed if each["state"] != "void"]


def approved(root: Path) -> Any:
    return requests(root), call(root, "approval", "require", "echo:1", *PLACE).code, versions("echo", root)


def connection(root: Path) -> Any:
    shown = call(root, "connection", "show", "-n", "my_model", "--json").json()
    return {key: value for key, value in shown.items() if not key.endswith("_at")}


def released(root: Path) -> Any:
    (release,) = call(root, "release", "list", "--json").json()
    steps = [(step["name"], step["state"]) for step in release["steps"]]
    return steps, requests(root), versions("echo", root), aliases_of_flow(root)


def resumed(root: Path) -> Any:
    run = call(root, "run", "resume", "r", "--json").json()
    return run["status"], run["lines"], Path(run["outputs"]).read_text()


def aliases_of_flow(root: Path) -> Any:
    return call(root, "registry", "alias", "list", "echo", "--json").json()["aliases"]


REGISTER = ("dataset", "register", "folder", "--name", "data")
KEEP_FLOW = ("registry", "register", "echo", "--name", "echo")
SCENARIOS = {
    "folder": Scenario(REGISTER, comes_to=partial(versions, "data")),
    "file": Scenario(
        ("dataset", "register", "data.jsonl", "--name", "data"), [REGISTER], comes_to=partial(versions, "data")
    ),
    "unchanged": Scenario(REGISTER, [REGISTER], comes_to=partial(versions, "data")),
    "flow": Scenario((*KEEP_FLOW, "--note", "first"), comes_to=partial(versions, "echo")),
    "alias": Scenario(
        ("registry", "alias", "set", "data", "production@dev", "1", "--reason", "r"), [REGISTER], comes_to=aliases
    ),
    "request": Scenario(ASK, [KEEP_FLOW], comes_to=requests, is_new_each_time=True),
    "approve": Scenario(APPROVE, [KEEP_FLOW, ASK], again=(0, 2), comes_to=approved),
    "connection": Scenario(("connection", "create", "-f", "connection.yaml"), again=(0, 2), comes_to=connection),
    "release": Scenario(("release", ".", "--env", "dev", "--no-wait"), again=(4,), comes_to=released),
    "run": Scenario(
        ("run", "create", "--flow", "echo", "--data", "data.jsonl", "--name", "r"), again=(0, 2), comes_to=resumed
    ),
}


_DRAWN = re.compile(r"\b[0-9a-f]{32,64}\b|\.[a-z0-9_]{8}$")
"""The parts of names that differ from one run to the next: digests and random ones."""


class Places(Faults):
    """Also counts what changes names, wherever the name is given."""

    def install(self) -> None:
        super().install()
        for name in ("link", "rename", "mkdir", "unlink", "rmdir"):
            self._patch_call(name)

    def around(self, place: str, call: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        return super().around(_DRAWN.sub(lambda name: "." if name[0].startswith(".") else "…", place), call, half)

    def concerns(self, path: Any) -> bool:
        return super().concerns(path) or (isinstance(path, str) and "/" not in path)


def forked(work: Callable[[], int]) -> int:
    """Do work in a forked process; its exit code, or that of what it raised."""
    pid = os.fork()
    if pid == 0:
        code = UNCLEAN
        try:
            code = work()
        except AssertionError:
            traceback.print_exc()
            code = WRONG
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Scene:
    """A project and its home, always at the same place, for there are absolute paths in homes."""

    def __init__(self, base: Path, scenario: Scenario) -> None:
        self.base, self.scenario = base, scenario
        self.root, self.start = base / "now", base / "start"
        self.words = scenario.words

    def prepare(self) -> None:
        """Make the project, and all that was there before the command."""
        for name, text in FILES.items():
            file = self.root / "project" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for words in self.scenario.before:
            assert forked(lambda words=words: call(self.root, *words).code) == 0  # type: ignore[misc]
        self.root.rename(self.start)
        shutil.copytree(self.start, self.root)
        if "ID" in self.words:
            noted = self.base / "id"
            assert forked(lambda: self._note_request(noted)) == 0
            self.words = tuple(noted.read_text() if word == "ID" else word for word in self.words)

    def _note_request(self, noted: Path) -> int:
        (request,) = call(self.root, "approval", "list", "--json").json()
        noted.write_text(request["id"])
        return 0

    def anew(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.start, self.root)

    def work(self) -> int:
        return call(self.root, *self.words).code

    def check(self, expected: Path) -> int:
        """All is whole; the command again comes to the same; once more changes nothing."""
        require_whole(self.root)
        self._again()
        require_whole(self.root)
        come_to = json.dumps(self.scenario.comes_to(self.root))
        if not expected.exists():
            expected.write_text(come_to)
        assert come_to == expected.read_text(), f"{come_to}\nis not\n{expected.read_text()}"
        if self.scenario.is_new_each_time:
            return 0
        before = content_below(self.root / "home")
        self._again()
        after = content_below(self.root / "home")
        changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        assert changed == [], f"once more changed {changed}"
        return 0

    def _again(self) -> None:
        called = call(self.root, *self.words)
        assert called.code in self.scenario.again, called


def attempts(scene: Scene, most: int) -> Iterator[dict[str, Any]]:
    """One attempt for each place and kind of kill, or for some of them."""
    expected, note = scene.base / "expected", scene.base / "place"
    assert forked(scene.work) in scene.scenario.again[:1]
    assert forked(lambda: scene.check(expected)) == 0, "not even without a kill"
    for kind, at in drawn(scene, note, most):
        scene.anew()
        note.unlink(missing_ok=True)
        ended = forked(partial(harmed, scene, Places(kind, at, str(scene.root / "home"), note=note)))
        if note.exists():  # threads make a place more or less
            after = forked(lambda: scene.check(expected))
            yield {"kind": kind, "at": at, "place": note.read_text(), "ended": ended, "after": after}


def harmed(scene: Scene, places: Places) -> int:
    places.install()
    return scene.work()


def drawn(scene: Scene, note: Path, most: int) -> list[tuple[str, int]]:
    """Every kind of kill at every place, of which there are as many as a run counts; ``most`` of them."""

    def counting() -> int:
        places = Places("none", NEVER, str(scene.root / "home"))
        places.install()
        code = scene.work()
        with places._real_open(note, "w") as file:
            file.write(str(places.seen))
        return code

    scene.anew()
    assert forked(counting) in scene.scenario.again[:1]
    every = [(kind, at) for kind in KINDS for at in range(1, int(note.read_text()) + 1)]
    return sorted(random.Random(7).sample(every, min(most, len(every))))


def main() -> None:
    base = Path(sys.argv[2]).resolve()
    most = int(sys.argv[3]) if len(sys.argv) > 3 else NEVER
    os.environ.update(clean_environment())
    scene = Scene(base, SCENARIOS[sys.argv[1]])
    import_what_is_imported(lambda: warm_up(base, scene.scenario), base / "modules")
    scene.prepare()
    json.dump(list(attempts(scene, most)), sys.stdout)


def warm_up(base: Path, scenario: Scenario) -> None:
    trial = Scene(base / "warm", scenario)
    trial.prepare()
    trial.work()
    require_whole(trial.root)
    scenario.comes_to(trial.root)


if __name__ == "__main__":
    main()
