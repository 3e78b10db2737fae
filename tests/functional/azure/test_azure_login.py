"""Logins by azure-identity itself, against an authority on this machine: who gets a token, and what is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure_account import Issuer, running_issuer
from azure_ml import FakeAzure, running_azure
from azure_ml.server import TENANT
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from places import ROOT

PYTHON = ROOT / ".azure-sdk" / "venv" / "bin" / "python"
SCRIPT = ROOT / "tests" / "fakes" / "azure_account" / "log_in.py"
APPLICATION = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": "the-application"}
CONNECTION = {
    "AZURESUBSCRIPTION_TENANT_ID": TENANT,
    "AZURESUBSCRIPTION_CLIENT_ID": "the-application",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "the-connection",
}

pytestmark = [
    pytest.mark.azure_sdk,
    pytest.mark.skipif(not PYTHON.exists(), reason="azure-identity is not installed: scripts/azure_sdk.sh"),
]


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[FakeAzure]:
    with running_azure(tmp_path) as running:
        yield running


@pytest.fixture
def issuer(azure: FakeAzure) -> Iterator[Issuer]:
    with running_issuer(azure.ca_file.parent) as running:
        yield running


def log_in(azure: FakeAzure, folder: Path, **variables: str) -> Any:
    """What a process with those variables gets: ``token`` and ``way``, or ``error``, and all that it logged."""
    environ = {
        "PATH": variables.pop("PATH", ""),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "src"),
        "REQUESTS_CA_BUNDLE": str(azure.ca_file),
        "AZURE_AUTHORITY_HOST": azure.address,
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1",
        **variables,
    }
    done = subprocess.run(
        [PYTHON, SCRIPT, f"{azure.address}/.default"],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = done.stderr + json.dumps({**json.loads(done.stdout), "token": ""})
    for secret in (azure.token, "the-proof", "the-token-of-the-job", "a-wrong-proof", "the-token-of-the-machine"):
        assert secret not in shown
    return json.loads(done.stdout)


def write_application_certificate(folder: Path) -> Path:
    """One file with a certificate and its key, as an application has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "application")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "application.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_service_principal_logs_in_by_its_secret(azure: FakeAzure, tmp_path: Path):
    got = log_in(azure, tmp_path, **APPLICATION, AZURE_CLIENT_SECRET="the-proof")
    assert got == {"token": azure.token, "way": "service principal with a secret"}


def test_a_wrong_secret_is_told_and_not_shown(azure: FakeAzure, tmp_path: Path):
    got = log_in(azure, tmp_path, **APPLICATION, AZURE_CLIENT_SECRET="a-wrong-proof")
    assert "AADSTS7000215" in got["error"]
    assert "az ad app credential list" in got["hint"]


def test_a_service_principal_logs_in_by_its_certificate(azure: FakeAzure, tmp_path: Path):
    file = write_application_certificate(tmp_path)
    azure.accepts_any_assertion = True  # it is signed anew each time
    got = log_in(azure, tmp_path, **APPLICATION, AZURE_CLIENT_CERTIFICATE_PATH=str(file))
    assert got["way"] == "service principal with a certificate"
    header, claims, _ = azure.logins[-1]["client_assertion"].split(".")
    assert header
    assert claims


def test_a_certificate_that_cannot_be_read_is_told(azure: FakeAzure, tmp_path: Path):
    got = log_in(azure, tmp_path, **APPLICATION, AZURE_CLIENT_CERTIFICATE_PATH=str(tmp_path / "none.pem"))
    assert got["error"].startswith("The service principal with a certificate gave no login: ")


def test_a_token_file_of_kubernetes_logs_in(azure: FakeAzure, tmp_path: Path):
    (tmp_path / "federated").write_text("the-proof")
    got = log_in(azure, tmp_path, **APPLICATION, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "federated"))
    assert got == {"token": azure.token, "way": "workload identity (token file)"}
    assert azure.logins[-1]["client_assertion_type"].endswith("jwt-bearer")


def test_a_job_of_github_logs_in(azure: FakeAzure, issuer: Issuer, tmp_path: Path):
    got = log_in(azure, tmp_path, **APPLICATION, **issuer.github)
    assert got == {"token": azure.token, "way": "workload identity of GitHub Actions"}
    assert azure.logins[-1]["scope"] == f"{azure.address}/.default"
    assert "client_secret" not in azure.logins[-1]


def test_a_job_that_github_refuses_is_told_what_it_needs(azure: FakeAzure, issuer: Issuer, tmp_path: Path):
    issuer.fail = [401]
    got = log_in(azure, tmp_path, **APPLICATION, **issuer.github)
    assert got["error"] == (
        "The workload identity of GitHub Actions gave no login: GitHub gave no identity token: it answered 401."
    )
    assert "id-token: write" in got["hint"]


def test_a_job_of_azure_devops_logs_in(azure: FakeAzure, issuer: Issuer, tmp_path: Path):
    got = log_in(azure, tmp_path, **CONNECTION, **issuer.devops)
    assert got == {"token": azure.token, "way": "service connection of Azure DevOps"}


def test_azure_devops_is_asked_as_the_official_class_does(azure: FakeAzure, issuer: Issuer, tmp_path: Path):
    log_in(azure, tmp_path, **CONNECTION, **issuer.devops)
    ours = issuer.seen.pop()
    log_in(azure, tmp_path, **CONNECTION, **issuer.devops, OFFICIAL="1")
    theirs = issuer.seen.pop()
    assert ours[:3] == theirs[:3]
    names = ("Authorization", "Content-Type", "X-TFS-FedAuthRedirect")
    assert [_header(ours[3], name) for name in names] == [_header(theirs[3], name) for name in names]


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name.lower()), None)


def test_the_identity_of_an_app_service_logs_in(azure: FakeAzure, issuer: Issuer, tmp_path: Path):
    place = {"IDENTITY_ENDPOINT": f"{issuer.plain_address}/msi/token", "IDENTITY_HEADER": "the-header"}
    got = log_in(azure, tmp_path, **place)
    assert got == {"token": issuer.machine_token, "way": "managed identity"}


def test_the_identity_of_a_virtual_machine_logs_in(azure: FakeAzure, issuer: Issuer, tmp_path: Path):
    got = log_in(azure, tmp_path, AZURE_POD_IDENTITY_AUTHORITY_HOST=issuer.plain_address)
    assert got == {"token": issuer.machine_token, "way": "managed identity"}


def test_the_login_of_az_is_used(azure: FakeAzure, tmp_path: Path):
    tool = tmp_path / "bin" / "az"
    tool.parent.mkdir()
    answer = json.dumps({"accessToken": azure.token, "expires_on": 4_000_000_000, "tokenType": "Bearer"})
    tool.write_text(f"#!{sys.executable}\nimport sys\nassert 'get-access-token' in sys.argv\nprint({answer!r})\n")
    tool.chmod(0o755)
    got = log_in(azure, tmp_path, PATH=f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    assert got == {"token": azure.token, "way": "Azure CLI"}


def test_without_a_login_every_way_is_named_with_its_reason(azure: FakeAzure, tmp_path: Path):
    got = log_in(azure, tmp_path, AZURE_CLIENT_ID="the-application", AZURE_CLIENT_SECRET="a-wrong-proof")
    lines = got["error"].splitlines()
    assert lines[0] == "There is no login for Azure."
    assert "  service principal with a secret: half set up, AZURE_TENANT_ID missing" in lines
    assert "  managed identity: this machine is not in Azure (nobody answers at 127.0.0.1)" in lines
    assert "  Azure CLI: Azure CLI not found on path" in lines
    assert len(lines) == 10
