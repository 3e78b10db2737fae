"""Makes tests/schemas/kubernetes/VERSION.json from a release of the official Python client of Kubernetes.

    python scripts/kubernetes_schemas.py FOLDER VERSION      # for example: unpacked-kubernetes-35.0.0 1.35

FOLDER is the unpacked wheel; its models are generated from the OpenAPI description of that version of Kubernetes. Only
names, types and what is required are taken, of the kinds that the target ``kubernetes`` makes; unknown keys are errors.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

KINDS = {
    "Deployment": "V1Deployment",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "Ingress": "V1Ingress",
    "NetworkPolicy": "V1NetworkPolicy",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "Secret": "V1Secret",
    "Service": "V1Service",
}
PLACE = Path(__file__).parents[1] / "tests" / "schemas" / "kubernetes"
_PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "datetime": "string"}
_REQUIRED = re.compile(r"Invalid value for `(\w+)`, must not be `None`")


def main() -> None:
    """Write the file of one version."""
    folder, version = Path(sys.argv[1]), sys.argv[2]
    models = _models(folder / "kubernetes" / "client" / "models")
    definitions: dict[str, Any] = {}
    waiting = sorted(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name], further = _definition(models[name])
            waiting += sorted(further)
    made = {"kinds": KINDS, "definitions": dict(sorted(definitions.items()))}
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / f"{version}.json").write_text(json.dumps(made, indent=None, separators=(",", ":"), sort_keys=True) + "\n")


def _models(folder: Path) -> dict[str, Path]:
    """The file of each model by the model's name."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        name = re.search(r"^class (\w+)\(", path.read_text("utf-8"), re.MULTILINE)
        if name:
            found[name[1]] = path
    return found


def _definition(path: Path) -> tuple[dict[str, Any], set[str]]:
    """The schema of one model, and the models that it refers to."""
    text = path.read_text("utf-8")
    tables = {
        target.id: ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("openapi_types", "attribute_map")
    }
    names, further = tables["attribute_map"], set()
    properties = {}
    for attribute, kind in tables["openapi_types"].items():
        properties[names[attribute]] = _type(kind, attribute, further)
    made: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    required = sorted({names[each] for each in _REQUIRED.findall(text)})
    if required:
        made["required"] = required
    return made, further


def _type(kind: str, attribute: str, further: set[str]) -> dict[str, Any]:
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind == "object":  # a number or a text, but for the owners of fields
        return {"type": "object"} if attribute == "fields_v1" else {"type": ["integer", "string"]}
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        return {"type": "array", "items": _type(found[1], attribute, further)}
    if found := re.fullmatch(r"dict\(str, (.+)\)", kind):
        return {"type": "object", "additionalProperties": _type(found[1], attribute, further)}
    further.add(kind)
    return {"$ref": f"#/definitions/{kind}"}


if __name__ == "__main__":
    main()
