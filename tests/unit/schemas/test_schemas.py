"""Schemas say what the readers do: the same files pass, and what a reader refuses in structure the schema refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flowyard._util.yamlfile import YamlFile, parse_yaml, read_yaml
from flowyard.ab.policy.file import parse_policy
from flowyard.approval.policy import parse_approval_block
from flowyard.config import read_config
from flowyard.decisions.policy_blocks import POLICY_BLOCKS, parse_racing_block
from flowyard.deploy.config.file import parse_deployment_file
from flowyard.deploy.endpoint_test.golden import read_golden
from flowyard.errors import UserError
from flowyard.experiments.schema import ExperimentSchema, OverlaySchema, parse_schema
from flowyard.experiments.space.parameters import parse_parameters_block
from flowyard.experiments.space.search import parse_search_block
from flowyard.experiments.space.variants import parse_variants_block
from flowyard.flows.load import load_flow
from flowyard.gateway.config_file import parse_gateway_file
from flowyard.llm.cache.block import parse_cache_block
from flowyard.llm.pacing.limits import read_limits
from flowyard.production.alerts.policy_file import parse_monitoring
from flowyard.schemas import SCHEMAS, find_schema, schema_files
from flowyard.schemas.models import described_keys
from flowyard.simulation.rules import load_rules

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "src" / "flowyard" / "scaffold"

DATASET = {"name": "d", "source": "d.jsonl", "mappings": {"x": "${data.x}"}, "description": "x"}
EXPERIMENT = {
    "name": "x",
    "flow": "f",
    "connections": [{"name": "m", "connection_type": "simulated", "rules": "r.yaml"}],
    "datasets": [DATASET],
    "evaluators": [
        {"name": "e", "flow": "e", "datasets": [{**DATASET, "reference": "d"}]},
        {"name": "l", "type": "length", "options": {"maximum": 3}, "datasets": [{"name": "d", "mappings": {}}]},
    ],
    "runtime": "r",
}
BLOCKS: dict[str, tuple[Any, Callable[[Any, YamlFile], Any]]] = {
    "metrics": (
        {"a": {"from": "g", "equals": "x", "higher_is_better": True, "low": 0, "high": 1, "failed_lines": 0.5}},
        POLICY_BLOCKS["metrics"],
    ),
    "gates": (
        [
            "a >= 0.9",
            {"metric": "a", "not_worse_than": "baseline", "by": 0.1, "slice": {"c": "v"}, "confidence": 0.9},
            {"metric": "a", "at_most": 3, "dataset": "d", "variant": "v"},
        ],
        POLICY_BLOCKS["gates"],
    ),
    "baseline": ({"run": "r"}, POLICY_BLOCKS["baseline"]),
    "racing": ({"metric": "a", "alpha": 0.1, "min_lines": 3}, parse_racing_block),
    "inconclusive": ("pass", POLICY_BLOCKS["inconclusive"]),
    "variants": (
        {
            "mode": "grid",
            "nodes": {"n": ["a", "b"]},
            "named": [{"name": "s", "select": {"n": "a"}}],
            "only": [{"n": "a"}],
            "except": [{"n": ["b"]}],
        },
        parse_variants_block,
    ),
    "parameters": ({"a": [1, 2], "b": {"min": 1, "max": 2, "steps": 3, "log": True}}, parse_parameters_block),
    "search": ({"method": "random", "seed": 1, "max_runs": 3, "max_cost": 1.5}, parse_search_block),
    "cache": ({"mode": "on", "off": ["n"], "nodes": ["m"], "size": "500MB"}, lambda value, _: parse_cache_block(value)),
    "limits": ({"m": {"rpm": 600, "tpm": 1000}}, lambda value, _: read_limits(value)),
    "approval": (
        {
            "timeout": "60m",
            "approvals": 1,
            "approvers": ["ann"],
            "self_approval": False,
            "notify": ["mailto:ann@example.org"],
            "valid_for": "1d",
        },
        parse_approval_block,
    ),
}
DEPLOYMENT = {
    "environments": {
        "dev": {
            "target": "local",
            "endpoint": "end-point",
            "approval": "not_required",
            "port": 8080,
            "env": {"A": "b"},
            "connections": ["m"],
            "instances": 2,
            "cpu": 1.5,
            "memory": "512Mi",
            "test": {"suite": "smoke", "max_latency_p95_ms": 5, "requests": 3, "ready_s": 2},
            "traffic": 50,
        },
        "box": {
            "target": "docker",
            "image": {"repository": "host.example/a/b", "builder": "docker", "base": "python:3.12"},
            "options": {"network": "host"},
        },
        "cluster": {
            "target": "kubernetes",
            "options": {"context": "c", "ingress": {"host": "a.example", "tls_secret": "t"}, "scale": {"max": 3}},
        },
        "azure": {
            "target": "azure-ml",
            "options": {"instance_type": "Standard_DS3_v2", "roles": "show", "liveness_probe": {"period_s": 3}},
        },
        "web": {"target": "azure-webapp", "options": {"plan": "planned", "sku": "B1"}},
    }
}
GATEWAY = {
    "name": "g",
    "listen": "127.0.0.1:8900",
    "backends": {"a": {"url": "http://127.0.0.1:8901", "weight": 1, "version": "1"}},
    "sticky": {"header": "x-user"},
    "override": {"header": "x-arm", "allow": ["ann"]},
    "mirror": {"to": "a", "percent": 5},
    "health": {"path": "/health", "every_s": 3},
    "breaker": {"failures": 3},
    "retries": 1,
    "limits": {"at_once": 10},
    "exposures": "exposures",
    "trusted_proxies": ["10.0.0.0/8"],
}
AB = {
    "name": "t",
    "arms": {"control": "1", "treatment": "2"},
    "unit": "user",
    "primary": {"metric": "feedback", "field": "feedback.rating", "success": ["up"]},
    "guardrails": [{"metric": "error_rate", "most": 0.1}],
    "alpha": 0.05,
    "min_duration": "1d",
    "max_duration": "10d",
    "ramp": [1, {"share": 50, "min_duration": "1h", "min_sample": 5}],
    "decide": "auto",
    "split": {"gateway": "http://127.0.0.1:8901", "key": "${KEY}"},
}
AB_BY_PLATFORM = {
    "name": "t",
    "arms": {"control": "1", "treatment": "2"},
    "unit": "request",
    "primary": {"metric": "field", "judge": {"evaluator": "e", "field": "f"}, "bounds": [1, 5]},
    "guardrails": [
        {"metric": "judge_fail_rate", "most": 0.1, "judge": {"evaluator": "e", "field": "f"}, "at_least": 3}
    ],
    "split": {"deployment": "prod", "target": "azure-ml", "margin": "1m"},
}
MONITORING = {
    "flow": "f",
    "records": ["records"],
    "notify": ["slack:SLACK_URL"],
    "alerts": [
        {
            "name": "errors",
            "when": "error_rate > 0.05 over 10m for 10m",
            "severity": "critical",
            "by": "flow",
            "min_requests": 50,
            "cooldown": "12h",
            "notify": ["mailto:ann@example.org"],
        },
        {"name": "inputs", "when": "drift.inputs over 1d"},
    ],
    "drift": {
        "reference": "registry:d:3",
        "alpha": 0.01,
        "effect": 0.1,
        "vector_effect": 0.05,
        "min_records": 50,
        "features": ["inputs"],
    },
}
RULES = {
    "seed": 1,
    "latency": {"median_ms": 1, "p95_ms": 2},
    "faults": {"rate_429": 0.1},
    "rules": [
        {"name": "a", "when": {"user": "x"}, "reply": "y", "wrong": ["z"], "error_rate": 0.5, "tokens": {"prompt": 3}},
        {"name": "b", "tool_calls": [{"name": "t", "arguments": {"x": "y"}}]},
    ],
}
GOLDEN = {
    "cases": [
        {
            "name": "c",
            "request": {"x": "y"},
            "expect": [
                {"type": "exact_match", "output": "o", "ground_truth": "g", "ignore_case": True},
                {"type": "f1", "output": "o", "ground_truth": "g", "at_least": 0.5},
            ],
        }
    ]
}
PROJECT = {"run": {"output_path": "runs"}, "connection": {"secrets": "file"}, "telemetry": {"enabled": False}}
FLEX = {
    "entry": "m:f",
    "inputs": {"x": {"type": "string", "default": "d"}},
    "outputs": {"y": {"type": "int"}},
    "init": {"z": {"type": "int"}},
    "sample": {"inputs": {"x": "y"}},
    "environment_variables": {"A": "b"},
}
DAG = {
    "inputs": {"x": {"type": "string"}},
    "outputs": {"y": {"type": "string", "reference": "${n.output}"}},
    "nodes": [
        {"name": "n", "type": "python", "source": {"type": "code", "path": "n.py"}, "inputs": {"x": "${inputs.x}"}}
    ],
}


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema)


def block_validator(name: str) -> jsonschema.Draft202012Validator:
    """Of one block of ``experiment.yaml``."""
    whole = find_schema("experiment").schema()
    return validator({"$defs": whole["$defs"], **whole["properties"][name]})


def through_file(read: Callable[[Path], Any], name: str) -> Callable[[Any, Path], Any]:
    """A reader of paths, given data."""

    def read_data(data: Any, folder: Path) -> Any:
        (folder / name).write_text(json.dumps(data))
        (folder / "n.py").write_text("")
        return read(folder / name)

    return read_data


ELSEWHERE = {
    (("evaluators", 1, "options", "unheard_of"), 3): "an evaluator's options are looked at when runs are planned",
    (("rules", 0, "error_rate"), "q"): "an expression is Python's, which a schema does not know",
}
"""Where only one of both refuses, and why."""


def yaml_of(data: Any, folder: Path) -> YamlFile:
    return parse_yaml(json.dumps(data), folder / "file.yaml")


FILES: dict[str, tuple[Any, Callable[[Any, Path], Any]]] = {
    "experiment": (EXPERIMENT, lambda data, folder: parse_schema(ExperimentSchema, yaml_of(data, folder))),
    "overlay": (EXPERIMENT, lambda data, folder: parse_schema(OverlaySchema, yaml_of(data, folder))),
    "deployment": (DEPLOYMENT, lambda data, folder: parse_deployment_file(yaml_of(data, folder), folder)),
    "gateway": (GATEWAY, lambda data, folder: parse_gateway_file(yaml_of(data, folder), {})),
    "ab": (AB, lambda data, folder: parse_policy(yaml_of(data, folder))),
    "monitoring": (MONITORING, lambda data, folder: parse_monitoring(yaml_of(data, folder), lambda: "f")),
    "simulation": (RULES, through_file(load_rules, "simulation.yaml")),
    "golden": (GOLDEN, through_file(read_golden, "golden.yaml")),
    "flowyard": (PROJECT, through_file(lambda path: read_config([path]), "flowyard.yaml")),
    "flow.flex": (FLEX, through_file(load_flow, "flow.flex.yaml")),
    "flow.dag": (DAG, through_file(load_flow, "flow.dag.yaml")),
}

OTHERS = {str: (3, True, [3], {"q": 3}), bool: ("q", 3, [3], {"q": 3}), list: (3, "q", {"q": 3}), dict: (3, "q", [3])}
NUMBERS = ("q", True, [3], {"q": 3})


def edits(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place with a value of another type, and every mapping with one key more."""
    for other in NUMBERS if type(data) in (int, float) else OTHERS[type(data)]:
        yield place, other
    if isinstance(data, dict):
        yield (*place, "unheard_of"), 3
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from edits(value, (*place, key))


def edited(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    whole = deepcopy(data)
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return whole


def refuses(read: Callable[[], Any]) -> bool:
    try:
        read()
    except UserError:
        return True
    return False


def differences(data: Any, read: Callable[[Any], Any], check: jsonschema.Draft202012Validator) -> tuple[list, list]:
    """The edits that only the reader refuses, and those that only the schema does."""
    assert not refuses(lambda: read(data)), "the sample has to be right"
    assert list(check.iter_errors(data)) == []
    only_reader, only_schema = [], []
    for place, value in edits(data):
        changed = edited(data, place, value)
        by_reader, by_schema = refuses(lambda changed=changed: read(changed)), not check.is_valid(changed)
        is_lenient = "options" in place and value is True  # options of targets are also read from the template's file
        if is_lenient or any((place, value) == known for known in ELSEWHERE):
            continue
        if by_reader and not by_schema:
            only_reader.append((place, value))
        if by_schema and not by_reader:
            only_schema.append((place, value))
    return only_reader, only_schema


def test_a_test_that_a_platform_splits_is_refused_as_by_its_reader(tmp_path: Path):
    schema = validator(find_schema("ab").schema())
    assert differences(AB_BY_PLATFORM, lambda each: parse_policy(yaml_of(each, tmp_path)), schema) == ([], [])


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_its_reader_refuses_in_structure_is_refused_by_its_schema(name: str, tmp_path: Path):
    data, read = FILES[name]
    only_reader, only_schema = differences(
        data, lambda each: read(each, tmp_path), validator(find_schema(name).schema())
    )
    assert only_reader == []
    assert only_schema == []


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_that_its_reader_refuses_in_structure_is_refused_by_its_schema(name: str, tmp_path: Path):
    data, read = BLOCKS[name]
    only_reader, only_schema = differences(
        data, lambda each: read(each, yaml_of(each, tmp_path)), block_validator(name)
    )
    assert only_reader == []
    assert only_schema == []


@pytest.mark.parametrize("each", SCHEMAS, ids=lambda each: each.name)
def test_a_schema_is_one(each):
    jsonschema.Draft202012Validator.check_schema(each.schema())
    assert json.loads(schema_files()[f"{each.name}.json"]) == each.schema()


def test_every_file_of_the_examples_and_of_the_templates_is_valid():
    checked = set()
    for each in SCHEMAS:
        check = validator(each.schema())
        for names in each.names:
            for folder in (ROOT / "examples", TEMPLATES):
                for file in folder.rglob(names):
                    assert [error.message for error in check.iter_errors(read_yaml(file).data)] == [], file
                    checked.add(each.name)
    assert checked >= {"experiment", "overlay", "deployment", "simulation", "golden", "flow.dag", "flow.flex"}


def keys_of(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key of a file, wherever it is, with its schema."""
    if isinstance(schema, dict):
        for name, inner in schema.items():
            if name == "properties" and isinstance(inner, dict) and "type" not in schema.get("if", {}):
                yield from inner.items()
            yield from keys_of(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keys_of(inner)


def test_every_key_of_a_model_has_its_words_and_no_other_has():
    said = {name: set(words) for name, words in described_keys().items()}
    found: dict[str, set[str]] = {}
    for each in SCHEMAS:
        whole = each.schema()
        for name, part in {"": whole, **whole.get("$defs", {})}.items():
            for key, form in part.get("properties", {}).items():
                assert form.get("description"), f"{each.name}: {name}.{key} says nothing"
            found.setdefault(name, set()).update(part.get("properties", {}))
    roots = {
        "ExperimentSchema", "ApprovalBlock", "DeploymentFile", "GatewayFile", "AbFile", "MonitoringFile", "RulesFile",
    }  # fmt: skip
    others = {"run", "flow.dag", "flow.flex", "node"}
    assert {name: keys for name, keys in said.items() if name not in roots | others} == {
        name: found[name] for name in said if name not in roots | others
    }
