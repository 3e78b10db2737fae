"""Our own source runs no text as code and loads nothing by a name from outside, but for the places listed here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import flowyard

SOURCE = Path(flowyard.__file__).parent

DANGEROUS = frozenset(
    {"eval", "exec", "compile", "__import__", "import_module", "spec_from_file_location", "run_path", "run_module"}
    | {"system", "popen", "load_module", "unpack_archive", "extractall"}
)
PICKLING = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"})

LOADS_FLOW_CODE = {
    "engine/code.py",  # a node's file
    "engine/flex_entry.py",  # the entry of a flow in Python
    "engine/nodes/llm.py",  # the module that a node of an old flow names
    "engine/packages.py",  # package tools: they are installed, and are flow code
    "cli/exec.py",  # the user's script
    "production/records/sinks.py",  # the class that a person named for production records
    "sessions/worker.py",  # the module that a person named for the worker
}
"""Where the user's code, which is trusted, is loaded."""

FROM_A_TABLE = {
    "__init__.py", "_util/promptflow_names.py", "api/frames.py", "cli/flow/chat.py", "_util/event_loop.py",
    "cli/lazy.py", "cli/pipeline/generate.py",
    "cli/start.py", "compat/promptflow/tools/common.py", "deploy/endpoint_test/golden.py", "deploy/targets/find.py",
    "deploy/targets/local/serve_start.py", "engine/nodes/prepare.py", "engine/prepare.py",
    "evaluation/builtin/libraries.py", "evaluation/subjects.py", "evaluation/whole_run.py",
    "llm/connection_import.py", "llm/keyring_items.py", "llm/providers/__init__.py", "llm/providers/layers.py",
    "llm/token_estimate.py", "llm/vault.py", "registry/open.py", "sessions/cluster/ray_cluster.py",
    "sessions/environments/choice.py", "sessions/fork_server.py", "sessions/local.py", "sessions/worker_start.py",
    "tools/faiss_store.py",
}  # fmt: skip
"""Imports that are late: the name is written in our source."""

OWN_PICKLES = {
    "_util/beside.py",  # from a forked child of this process
    "runs/numbering.py",  # a file of this process, without a name
    "sessions/cluster/actor.py",  # over Ray, from whoever drives the run
    "sessions/cluster/session.py",
    "sessions/kept.py",  # written and read by workers of one session
    "sessions/kept_values.py",
    "sessions/local.py",  # asks only whether it can be pickled
    "sessions/messages.py",  # between a session and the workers that it started
    "sessions/pool.py",
    "sessions/worker.py",
    "tools/docstore.py",  # a file from outside, read by a reader that makes no object of a class
}
"""Pickles that only flowyard itself has written, and one that is read without running what it says."""


def calls(file: Path) -> Iterator[str]:
    """What a file does that may be dangerous."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            owner = getattr(called.value, "id", "") if isinstance(called, ast.Attribute) else ""
            if name in DANGEROUS and owner not in ("re", "regex", "ast"):
                yield "call"
            if name in ("load", "load_all") and owner == "yaml" and "YAML" not in file.read_text(encoding="utf-8"):
                yield "yaml"
            if any(word.arg == "shell" and not _is_false(word.value) for word in node.keywords):
                yield "shell"
        if isinstance(node, ast.Import) and {each.name.partition(".")[0] for each in node.names} & PICKLING:
            yield "pickle"
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PICKLING:
            yield "pickle"


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def test_code_is_loaded_in_known_places_only():
    found: dict[str, set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for kind in calls(file):
            found.setdefault(kind, set()).add(file.relative_to(SOURCE).as_posix())
    assert found.get("call", set()) - LOADS_FLOW_CODE - FROM_A_TABLE == set()
    assert found.get("pickle", set()) - OWN_PICKLES == set()
    assert found.keys() <= {"call", "pickle"}, "no shell, and YAML through our own reader only"
    assert found["call"] >= LOADS_FLOW_CODE | FROM_A_TABLE, "a place that is not needed any more"
    assert found["pickle"] >= OWN_PICKLES


def test_the_check_sees_what_is_dangerous(tmp_path: Path):
    texts = [
        "eval('1')",
        "import pickle",
        "from marshal import loads",
        "importlib.import_module(x)",
        "run(x, shell=True)",
    ]
    for number, text in enumerate([*texts, "__import__(x)", "archive.extractall(x)", "os.system(x)"]):
        file = tmp_path / f"{number}.py"
        file.write_text(text)
        assert list(calls(file)), text
