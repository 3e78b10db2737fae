"""``python -m bench``: prints what was run, on what, and how long it took."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.timing import Timing, say, time_command

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRATCH = ROOT / ".bench"
FLOWYARD = Path(sys.executable).parent / "flowyard"
PEER = ROOT / ".peer"
ONE_NODE = {
    "flow.dag.yaml": """\
inputs:
  text: {type: string}
outputs:
  text: {type: string, reference: "${shout.output}"}
nodes:
- name: shout
  type: python
  source: {type: code, path: shout.py}
  inputs: {text: "${inputs.text}"}
""",
    "shout.py": """\
from promptflow.core import tool


@tool
def shout(text: str) -> str:
    return text.upper()
""",
}
HELLO = "import click\n\n\n@click.command()\ndef hello():\n    click.echo('hello')\n\n\nhello()\n"
ROWS = 100
HEADLINES = (
    ("goal in the last minute", "sport"),
    ("vote counted twice", "politics"),
    ("chip  sells OUT", "technology"),
    ("late goal, no vote", "sport"),
    ("rain tomorrow", "other"),
)
PEER_SETTINGS = {"default settings": {}, "PF_WORKER_COUNT=16": {"PF_WORKER_COUNT": "16"}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--starts", type=int, default=20, help="measured runs of each start (default 20)")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each experiment (default 3)")
    parser.add_argument("--only", choices=["start", "test", "client", "experiment"], help="one of the parts")
    options = parser.parse_args()
    say_machine()
    if options.only in (None, "start"):
        bench_start(options.starts)
    if options.only in (None, "test"):
        bench_flow_test(options.runs * 2)
    if options.only in (None, "client"):
        bench_client(options.runs)
    if options.only in (None, "experiment"):
        bench_experiment(options.runs)


def say_machine() -> None:
    say(f"Machine    {platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    say(f"flowyard   {version(Path(sys.executable), 'flowyard')} on Python {platform.python_version()}")
    if has_peer():
        say(f"promptflow {version(peer_python(), 'promptflow')}, telemetry and traces off, own environment")
    else:
        say("promptflow is not installed in .peer, so it is not measured; scripts/peer.sh installs it")
    say("Each command runs once unmeasured first; wall time, whole process.")


def bench_start(runs: int) -> None:
    """How long a command takes to say its version, beside the least that a click command can take."""
    hello = SCRATCH / "hello.py"
    hello.parent.mkdir(exist_ok=True)
    hello.write_text(HELLO, "utf-8")
    say("\nStart")
    floor = time_command("a bare click command", [sys.executable, hello], runs=runs)
    ours = time_command("flowyard --version", [FLOWYARD, "--version"], runs=runs)
    say(str(floor))
    say(str(ours))
    say_ratio("flowyard / bare click", ours, floor)
    if has_peer():
        peer = time_command("pf --version", [PEER / "venv/bin/pf", "--version"], runs=max(3, runs // 4), env=peer_env())
        say(str(peer))
        say_ratio("pf / flowyard", peer, ours)


def bench_flow_test(runs: int) -> None:
    """One line through a flow of one python node, as a person tries a flow."""
    folder = SCRATCH / "one_node"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ONE_NODE.items():
        (folder / name).write_text(text, "utf-8")
    words = ["flow", "test", "--flow", folder, "--inputs", "text=hello"]
    say("\nFlow test: one python node, one line")
    ours = time_command("flowyard flow test", [FLOWYARD, *words], runs=runs, cwd=SCRATCH)
    say(str(ours))
    if has_peer():
        peer = time_command("pf flow test, no trace service", [PEER / "venv/bin/pf", *words], runs=runs, env=peer_env())
        say(str(peer))
        say_ratio("pf / flowyard", peer, ours)


def bench_client(runs: int) -> None:
    """What a model call costs our client and the ``openai`` package, against the same simulated server."""
    calls, concurrency = 1000, 16
    say(f"\nModel client: {calls} chat calls, {concurrency} at once, to `flowyard simulate` without latency")
    with simulated_server() as url:
        ours = client_cost(Path(sys.executable), "flowyard", url, runs, calls, concurrency)
        if has_peer():
            peer = client_cost(peer_python(), "openai", url, runs, calls, concurrency)
            cpu, imports = peer[0] / ours[0], peer[1] / ours[1]
            say(f"    openai / flowyard: {cpu:.2f} in CPU per call, {imports:.2f} in import time")


def client_cost(python: Path, client: str, url: str, runs: int, calls: int, concurrency: int) -> tuple[float, float]:
    """The least CPU seconds per call and import seconds of several processes."""
    command = [str(python), str(HERE / "model_client.py"), client, f"{url}/v1", str(calls), str(concurrency)]
    found = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(runs)
    ]
    cpu_s, import_s = min(each["cpu_s_per_call"] for each in found), min(each["import_s"] for each in found)
    say(f"{found[0]['client']:<44} min {cpu_s * 1e6:6.0f} µs CPU per call, {import_s * 1000:4.0f} ms import   n={runs}")
    return cpu_s, import_s


@contextmanager
def simulated_server() -> Iterator[str]:
    """The address of a running ``flowyard simulate`` that answers everything."""
    SCRATCH.mkdir(exist_ok=True)
    rules, ready = SCRATCH / "rules.yaml", SCRATCH / "ready"
    rules.write_text("rules:\n  - name: anything\n    reply: Hello.\n", "utf-8")
    ready.unlink(missing_ok=True)
    server = subprocess.Popen([FLOWYARD, "simulate", rules, "--ready-file", ready], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists() or not ready.read_text("utf-8").strip():
            time.sleep(0.05)
            if server.poll() is not None:
                sys.exit(f"flowyard simulate ended with {server.returncode}")
        yield ready.read_text("utf-8").strip()
    finally:
        server.terminate()
        server.wait()


def bench_experiment(runs: int) -> None:
    """The shape of the template's web classification: two variants over a dataset and an evaluation of each."""
    project = fresh_project()
    say(f"\nExperiment: {ROWS} rows, 2 variants, 2 evaluation runs, 1 metric each; python nodes only, no model calls")
    ours = time_command(
        "flowyard experiment run --variants all",
        [FLOWYARD, "experiment", "run", project, "--variants", "all"],
        runs=runs,
        cwd=project,
    )
    say(str(ours))
    if not has_peer():
        return
    for name, settings in PEER_SETTINGS.items():
        peer = time_command(
            f"promptflow SDK, one process, {name}",
            [peer_python(), HERE / "peer_experiment.py", project],
            runs=runs,
            cwd=project,
            env={**peer_env(), **settings},
        )
        say(str(peer))
        say_ratio("promptflow / flowyard", peer, ours)
    say(f"promptflow's own results: {json.loads(peer.output.splitlines()[-1])['accuracy']}")


def fresh_project() -> Path:
    """A scratch copy of the project with its data, so that no run of ours or theirs lands among the sources."""
    project = SCRATCH / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(HERE / "project", project, ignore=shutil.ignore_patterns("__pycache__", ".promptflow"))
    rows = [HEADLINES[number % len(HEADLINES)] for number in range(ROWS)]
    data = project / "data" / "headlines.jsonl"
    data.parent.mkdir()
    data.write_text("".join(json.dumps({"text": text, "expected": label}) + "\n" for text, label in rows), "utf-8")
    return project


def say_ratio(label: str, slower: Timing, faster: Timing) -> None:
    by_min, by_median = slower.min_s / faster.min_s, slower.median_s / faster.median_s
    say(f"    {label}: {by_min:.2f} by min, {by_median:.2f} by median")


def version(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def has_peer() -> bool:
    return (PEER / ".installed").exists()


def peer_python() -> Path:
    return PEER / "venv" / "bin" / "python"


def peer_env() -> dict[str, str]:
    return {"PF_HOME_DIRECTORY": str(PEER / "home"), "PF_LOGGING_LEVEL": "ERROR"}


if __name__ == "__main__":
    main()
