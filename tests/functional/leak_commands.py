"""Every command of the command line, as the leak test calls it: ways that end well and ways that fail.

A command that is missing here fails the test. ``{name}`` is filled in by the test.
"""

from __future__ import annotations

Calls = tuple[tuple[str, ...], ...]

_FLOWS = ("ok", "leaks", "refused", "echoed", "broken_yaml", "broken_prompty", "no_such_flow")

COMMANDS: dict[str, Calls] = {
    "connection create": (
        ("--file", "connections/open_ai.yaml", "--name", "stored"),
        ("--file", "connections/custom.yaml", "--name", "stored_custom"),
        ("--file", "broken_connection.yaml"),
        ("--file", "wrong_connection.yaml"),
        ("--file", ".env", "--name", "stored_env"),
        ("--file", "broken.env", "--name", "x"),
        ("--file", "connections/open_ai.yaml", "--name", "set", "--set", "api_key=@key.txt"),
        ("--file", "connections/open_ai.yaml", "--name", "set", "--set", "no_such_field=@key.txt"),
    ),
    "connection update": (
        ("--name", "stored", "--set", "organization=o"),
        ("--name", "stored", "--set", "api_key=@key.txt"),
        ("--name", "stored", "--set", "type=@key.txt"),
    ),
    "connection show": tuple(
        ("--name", name)
        for name in ("stored", "stored_custom", "azure_open_ai", "FROM_ENV", "dotenv", "broken_json", "nowhere")
    ),
    "connection list": ((), ("--json",), ("--env-file", "broken.env")),
    "connection move": (("--to", "file", "--all"), ("--to", "keyring", "--all")),
    "connection import": ((), ("--from", "broken_connection.yaml")),
    "config set": (
        ("store.url=postgresql://u:{store_url}@127.0.0.1:1/d",),
        ("connection.key_vault=https://u:{url}@evil.example",),
    ),
    "config show": ((), ("--json",)),
    "flow init": (("--flow", "fresh", "--type", "standard", "--yes"),),
    "flow validate": tuple(("--source", flow) for flow in _FLOWS),
    "flow test": (
        *(("--flow", flow, "--inputs", "x=a") for flow in _FLOWS),
        ("--flow", "leaks", "--inputs", "x=raise", "--detail", "details"),
        ("--flow", "leaks", "--inputs", "x=nested"),
        ("--flow", "leaks", "--inputs", "x=quoted", "--json"),
        ("--flow", "headers.prompty", "--inputs", "x=a"),
        ("--flow", "ok", "--inputs", "x=a", "--environment-variables", "secret.env"),
    ),
    "flow build": (("--source", "ok", "--output", "image"), ("--source", "broken_yaml", "--output", "image2")),
    "run create": (
        *(("--flow", flow, "--data", "data.jsonl", "--name", f"run_{flow}") for flow in _FLOWS),
        ("--flow", "ok", "--data", "http://127.0.0.1:1/data.jsonl?sig={url}&x=1"),
        ("--flow", "ok", "--data", "http://u:{url}@127.0.0.1:1/data.jsonl"),
        ("--flow", "ok", "--data", "broken_connection.yaml"),
        ("--flow", "ok", "--data", "data.jsonl", "--name", "run_vars", "--environment-variables", "secret.env"),
        ("--flow", "headers.prompty", "--data", "data.jsonl", "--name", "run_headers", "--record", "calls.jsonl"),
        ("--flow", "echoed", "--data", "data.jsonl", "--name", "run_recorded", "--record", "calls.jsonl"),
        ("--flow", "echoed", "--data", "data.jsonl", "--name", "run_kept", "--cache", "refresh"),
        ("--file", "broken_connection.yaml"),
    ),
    "run resume": (("run_leaks", "--retry-failed"), ("run_refused", "--retry-failed")),
    "run list": ((), ("--json",)),
    "run show": (("--name", "run_leaks"), ("--name", "run_vars")),
    "run stream": (("--name", "run_leaks"),),
    "run tail": (("--name", "run_leaks"),),
    "run compare": (("run_leaks", "run_ok"),),
    "run show-details": (("--name", "run_leaks"), ("--name", "run_refused", "--json")),
    "run show-metrics": (("--name", "run_leaks"),),
    "run visualize": (("--names", "run_leaks,run_refused", "--html-path", "page.html"),),
    "run update": (("--name", "run_ok", "--set", "description=x"),),
    "run archive": (("--name", "run_ok"),),
    "run restore": (("--name", "run_ok"),),
    "run export": (("--name", "run_leaks", "--output", "exported"),),
    "run delete": (("--name", "run_vars", "--yes"),),
    "evaluation create": (
        ("--run", "run_leaks", "--flow", "leaks", "--name", "eval_flow"),
        (
            "--run",
            "run_leaks",
            "--type",
            "rubric",
            "--options",
            "rubric.rubric=good",
            "model=small",
            "connection=refusing",
            "--name",
            "eval_judge",
        ),
        (
            "--run",
            "run_leaks",
            "--python",
            "grade.py:grade",
            "--column-mapping",
            "out=${{run.outputs.out}}",
            "--name",
            "eval_python",
        ),
    ),
    "evaluator list": ((),),
    "evaluator show": (("rubric",),),
    "experiment show": (("experiment.yaml",), ("broken_experiment.yaml",), ("wrong_experiment.yaml",)),
    "experiment run": (("experiment.yaml",), ("broken_experiment.yaml",), ("experiment.yaml", "--dry-run")),
    "experiment list": ((),),
    "experiment resume": (("leaking",),),
    "experiment gate": (("leaking",),),
    "experiment report": (("leaking", "--format", "csv", "--output", "report"),),
    "judge check": (
        (
            "--type",
            "rubric",
            "--options",
            "rubric=good",
            "model=small",
            "connection=refusing",
            "--data",
            "data.jsonl",
            "--labels",
            "label",
        ),
    ),
    "dataset register": (("data.jsonl", "--name", "rows"),),
    "dataset list": ((),),
    "dataset show": (("rows",),),
    "migrate": ((".",), (".", "--json")),
    "price list": ((),),
    "price show": (("gpt-4o",),),
    "session list": ((),),
    "session clear": ((),),
    "store show": ((), ("--json",)),
    "store migrate": ((),),
    "cache show": ((),),
    "cache clear": (("--yes",),),
    "connection delete": (("--name", "stored", "--yes"), ("--name", "stored_custom", "--yes")),
}
"""In the order in which they are called."""

PROCESSES = frozenset({"exec", "flow serve", "simulate"})
"""Commands that run a script or serve until they are stopped; the test calls them as processes."""
