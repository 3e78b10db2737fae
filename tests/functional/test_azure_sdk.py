"""What is sent to Azure ML is what the official package sends, except where a reason is written down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure_ml import FakeAzure, Seen, running_azure
from registry_contract import draft

from flowyard.azure.signature import container_signature
from flowyard.registry.stores.azure_ml import open_store

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".azure-sdk" / "venv" / "bin" / "python"
SCRIPT = ROOT / "tests" / "fakes" / "azure_ml" / "official_package.py"

DIFFERENCES = {
    ("query", "api-version"): "ours is a stable version that is documented; the package asks for previews of its own",
    ("asset", "tags"): "the package sends an empty object, which would take away tags that people gave meanwhile",
}
"""Where a request of ours differs, and why."""

pytestmark = [
    pytest.mark.azure_sdk,
    pytest.mark.skipif(not PYTHON.exists(), reason="azure-ai-ml is not installed: scripts/azure_sdk.sh"),
]


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    with running_azure(tmp_path_factory.mktemp("azure")) as running:
        yield running


def official(azure: FakeAzure, folder: Path, *, env: Mapping[str, str] | None = None, **order: Any) -> Any:
    """What the official package answers; its files and settings go to ``folder``."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "REQUESTS_CA_BUNDLE": str(azure.ca_file), **(env or {})}
    order = {"address": azure.address, "token": azure.token, **order}
    done = subprocess.run(
        [PYTHON, SCRIPT], input=json.dumps(order), env=environ, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def the_put(seen: list[Seen]) -> Seen:
    (put,) = [each for each in seen if each.method == "PUT"]
    return put


def flat(seen: Seen) -> dict[tuple[str, str], Any]:
    """The parts of a request; what is null is the same as what is absent."""
    parts = {("query", name): value for name, value in seen.query.items()}
    parts |= {("body", name): value for name, value in seen.body.items() if name != "properties"}
    parts |= {("asset", name): value for name, value in seen.body["properties"].items() if value is not None}
    return parts


@pytest.mark.parametrize(
    ("kind", "is_folder", "form"),
    [("dataset", True, "uri_folder"), ("dataset", False, "uri_file"), ("flow", True, "custom_model")],
)
def test_a_version_is_registered_as_the_official_package_does(
    azure: FakeAzure, tmp_path: Path, kind: str, is_folder: bool, form: str
):
    azure.versions |= {"2023-04-01-preview", "2023-08-01-preview"}  # the package asks for them
    store = open_store(azure.url, azure.environ)
    one = draft(tmp_path / "one", {"a b ü.jsonl": b"{}"}, kind=kind, is_folder=is_folder, description="Ten tickets")
    store.add(one)
    ours = the_put(azure.seen)
    azure.seen.clear()
    for assets in azure.assets.values():
        assets.versions.clear()
    fields = ours.body["properties"]
    asset = {
        "kind": kind,
        "name": one.name,
        "path": fields["dataUri" if kind == "dataset" else "modelUri"],
        "type": form,
        "description": one.description,
        "properties": fields["properties"],
    }
    place = {"subscription": "00000000-1111-2222-3333-444444444444", "group": "tests", "workspace": "bench"}
    assert official(azure, tmp_path, assets=[asset], **place) == ["1"]
    theirs = the_put(azure.seen)
    assert ours.path == theirs.path
    mine, other = flat(ours), flat(theirs)
    assert {part for part in mine.keys() | other.keys() if mine.get(part) != other.get(part)} == set(DIFFERENCES)


def test_a_signature_is_the_one_that_the_official_package_makes(azure: FakeAzure, tmp_path: Path):
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    order = {"account": "bench", "container": "some-container", "key": azure.blobs.key}
    theirs = parse_qs(official(azure, tmp_path, now=now.isoformat(), **order))
    ours = parse_qs(container_signature("bench", "some-container", azure.blobs.key, now))
    version = theirs["sv"][0]
    assert {name: values for name, values in ours.items() if name not in ("sv", "sig")} == {
        name: values for name, values in theirs.items() if name not in ("sv", "sig")
    }
    again = parse_qs(container_signature("bench", "some-container", azure.blobs.key, now, version=version))
    assert again == theirs
