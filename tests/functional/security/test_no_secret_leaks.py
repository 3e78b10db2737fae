"""No secret in what any command says, stores, reports or starts, whatever fails on the way.

Canary secrets lie wherever secrets may: in the environment, ``.env``, connections of every type, headers, addresses, a
git remote. Then each command of the command line is called, and all that came out is searched for them in every form.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import click
import pytest
from canaries import Canaries, sampled_processes
from functional_helper import clean_environment, ending, flowyard, in_this_process, start_flowyard, wait_for_text
from leak_commands import COMMANDS, PROCESSES
from leak_world import PLACES, World, echoing_endpoint

from flowyard.cli.main import cli, main
from flowyard.errors import ExitCode

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="what processes show is read in /proc")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with echoing_endpoint() as address:
        yield World(tmp_path, address)


def leaves(command: click.Command, context: click.Context, path: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, context, (*path, name))


def test_every_command_is_here():
    listed = set(leaves(cli, click.Context(cli)))
    assert listed - set(COMMANDS) - PROCESSES == set(), "say in leak_commands.py how the leak test calls them"
    assert set(COMMANDS) | PROCESSES == listed


def test_the_search_finds_every_form(tmp_path: Path):
    own = Canaries(["one", "two"])
    secret = own["one"]
    forms = [secret, secret[::-1], quote(secret), json.dumps({"a": secret}), secret.encode().hex()]
    forms += [b64encode(b"x" * before + secret.encode()).decode() for before in range(5)]
    forms += [f"{secret[:20]}\n    {secret[20:]}", json.dumps(f"{secret[:20]}\n{secret[20:]}")]
    assert [own.found_in(form) for form in forms] == [{"one"}] * len(forms)
    (tmp_path / "file").write_text(own["two"])
    assert own.found_in_file(tmp_path / "file") == {"two"}
    assert own.found_in("nothing " * 1000) == set()
    assert len(PLACES) >= 50


def call(world: World, words: list[str]) -> int:
    with in_this_process(world.root, clean_environment(world.environment())):
        try:
            main(words)
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_no_command_leaks(world: World, capfd: pytest.CaptureFixture[str]):
    leaked: dict[str, set[str]] = {}
    bugs: list[str] = []
    given = {name: world.secrets.plain(name) for name in ("url", "store_url")}
    with sampled_processes(leaked, world.secrets, world.inherited | {"url", "store_url"}):
        for command, calls in COMMANDS.items():
            for words in calls:
                code = call(world, [*command.split(), *(word.format(**given) for word in words)])
                out, err = capfd.readouterr()
                where = f"{command} {' '.join(words)} (exit {code})"
                if hits := world.secrets.found_in(out + "\n" + err):
                    leaked[where] = hits
                if code == ExitCode.OUR_BUG or "Traceback" in err:
                    bugs.append(f"{where}: {err[-600:]}")
                leaked |= {f"{file} after {where}": hits for file, hits in world.left().items()}
    assert bugs == []
    assert leaked == {}
    world.require_worked()


def test_processes_show_no_secret(world: World):
    """What runs until it is stopped, and a script; by real processes, looked at while they run."""
    leaked: dict[str, set[str]] = {}
    environ = world.environment()
    with sampled_processes(leaked, world.secrets, world.inherited):
        said = [
            flowyard("exec", "script.py", cwd=world.root, env=environ),
            flowyard("connection", "create", "-f", "connections/open_ai.yaml", cwd=world.root, env=environ),
            flowyard("flow", "test", "--flow", "leaks", "--inputs", "x=raise", cwd=world.root, env=environ),
            flowyard("run", "create", "--flow", "leaks", "--data", "data.jsonl", cwd=world.root, env=environ),
        ]
        shown = "\n".join(done.stdout + done.stderr for done in said)
        key = {"Authorization": f"Bearer {environ['FLOWYARD_SERVING_KEY']}"}
        scores = [("score", {"x": x}) for x in ("a", "raise", "nested", "quoted")]
        others = [("health", None), ("version", None), ("swagger.json", None), ("nothing", None)]
        shown += served(world, ["flow", "serve", "--source", "leaks", "--port", "0"], [*scores, *others], key)
        shown += served(world, ["flow", "serve", "--source", "refused", "--port", "0"], [("score", {"x": "a"})], key)
        question = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        sent = {"Authorization": f"Bearer {world.secrets.plain('sent')}"}
        shown += served(world, ["simulate", "rules.yaml"], [("chat/completions", question), ("nothing", None)], sent)
        shown += served(world, ["approval", "serve", "--port", "0"], [("", None), ("nothing", None)], sent)
    assert [done.returncode for done in said[1:]] == [0, 1, 1], shown
    assert world.secrets.found_in(shown) == set()
    assert world.left() == {}
    assert leaked == {}


def served(world: World, words: list[str], requests: list[tuple[str, object]], headers: dict[str, str]) -> str:
    """Everything that a server says: its answers with their headers, and its output."""
    folder = world.home.parent
    ready, log = folder / f"ready of {' '.join(words).replace('/', '_')}", folder / "log"
    with log.open("w") as file:
        started = start_flowyard(
            *words, "--ready-file", ready, cwd=world.root, env=world.environment(), stdout=file, stderr=file
        )
        with ending(started):
            address = wait_for_text(ready).rstrip("/")
            said = [asked(f"{address}/{path}", body, headers) for path, body in requests]
    return "\n".join([*said, log.read_text()])


def asked(address: str, body: object, headers: dict[str, str]) -> str:
    """The answer with its headers, whatever its status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json", **headers})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return f"{response.headers}\n{response.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.headers}\n{error.read().decode()}"
