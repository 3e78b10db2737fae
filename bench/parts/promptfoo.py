"""Cases per second and memory beside promptfoo, where the model costs nothing: an echo and one equality check."""

from __future__ import annotations

import json
import os
import shutil
import sys

from bench.flows import write_data
from bench.places import FLOWYARD, PROMPTFOO, SCRATCH, has_promptfoo, own_env
from bench.table import Row
from bench.tree import Measured, measure

_CASES = 10_000
_PEER_AT_ONCE = 16
_OFF = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_SELF_HOSTED": "0",
    "PROMPTFOO_CACHE_ENABLED": "false",
    "NO_UPDATE_NOTIFIER": "1",
}
_ECHO = {
    "flow.dag.yaml": """\
inputs:
  text: {type: string}
outputs:
  answer: {type: string, reference: "${echo.output}"}
  passed: {type: bool, reference: "${check.output}"}
nodes:
- name: echo
  type: python
  source: {type: code, path: echo.py}
  inputs: {text: "${inputs.text}"}
- name: check
  type: python
  source: {type: code, path: check.py}
  inputs: {answer: "${echo.output}", expected: "${inputs.text}"}
""",
    "echo.py": "from promptflow.core import tool\n\n\n@tool\ndef echo(text: str) -> str:\n    return text\n",
    "check.py": "from promptflow.core import tool\n\n\n"
    "@tool\ndef check(answer: str, expected: str) -> bool:\n    return answer == expected\n",
}
_PROVIDER = """\
module.exports = class {
  id() { return 'echo-in-process'; }
  async callApi(prompt) { return { output: prompt }; }
};
"""


def run(runs: int) -> list[Row]:
    tried = [_own() for _ in range(runs)]
    ours = min(tried, key=lambda each: each.wall_s)
    memory = max(each.peak_mb for each in tried)
    rate = _CASES / ours.wall_s
    figure = f"{_CASES} cases, echo and equality"
    if not has_promptfoo():
        return [Row("promptfoo", figure, f"{rate:.0f} cases/s"), Row("promptfoo", "peak memory", f"{memory:.0f} MB")]
    peer = _peer()
    peer_rate = _CASES / peer.wall_s
    note = f"whole process; flowyard: --workers 2; peer once: -j {_PEER_AT_ONCE}, no cache, no table, no database write"
    return [
        Row("promptfoo", figure, f"{rate:.0f} cases/s", f"{peer_rate:.0f} cases/s", rate / peer_rate, 10),
        Row("promptfoo", "peak memory", f"{memory:.0f} MB", f"{peer.peak_mb:.0f} MB", peer.peak_mb / memory, 5, note),
    ]


def _own() -> Measured:
    folder = SCRATCH / "echo_flow"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _ECHO.items():
        (folder / name).write_text(text, "utf-8")
    home = SCRATCH / "echo_home"
    shutil.rmtree(home, ignore_errors=True)
    words = [*FLOWYARD, "run", "create", "--flow", folder, "--data", write_data("text", _CASES), "--workers", "2"]
    done = measure([*words, "--home", home, "--name", "echo", "--json"], cwd=SCRATCH, env=own_env())
    rows = [json.loads(line) for line in (home / "runs" / "echo" / "outputs.jsonl").open(encoding="utf-8")]
    _require(sum(row["passed"] for row in rows))
    return done


def _peer() -> Measured:
    folder = SCRATCH / "promptfoo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "echo.js").write_text(_PROVIDER, "utf-8")
    texts = [json.loads(line)["text"] for line in write_data("text", _CASES).open(encoding="utf-8")]
    tests = [{"vars": {"text": text}, "assert": [{"type": "equals", "value": text}]} for text in texts]
    config = {"prompts": ["{{text}}"], "providers": ["file://echo.js"], "tests": "file://tests.json"}
    (folder / "tests.json").write_text(json.dumps(tests), "utf-8")
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    out = folder / "results.json"
    words = [PROMPTFOO, "eval", "-c", folder / "config.json", "-j", str(_PEER_AT_ONCE), "-o", out]
    env = {**os.environ, **_OFF, "PROMPTFOO_CONFIG_DIR": str(folder / "home")}
    options = ["--no-cache", "--no-table", "--no-progress-bar", "--no-write"]
    done = measure([*words, *options], cwd=folder, env=env)
    _require(int(json.loads(out.read_text("utf-8"))["results"]["stats"]["successes"]))
    return done


def _require(passed: int) -> None:
    if passed != _CASES:
        sys.exit(f"{passed} of {_CASES} cases passed.")
