"""The ways to log in to Azure: by which variables each is set up, and which class of azure-identity does it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flowyard.azure.assertions import devops_assertion, github_assertion
from flowyard.errors import ExtraMissing

__all__ = ["LOGIN_WAYS", "LoginWay", "NotHere", "login_secrets"]

_APPLICATION = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
_METADATA = "http://169.254.169.254"
_PROBE_S = 1.0
_SECRETS = (
    *("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "SYSTEM_ACCESSTOKEN"),
    *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "IDENTITY_HEADER", "MSI_SECRET"),
)


class NotHere(Exception):
    """This way cannot lead anywhere on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class LoginWay:
    """One way. ``needs`` are its variables; one of ``signs`` being there means that somebody wants this way.

    A way without ``needs`` is found by trying. ``credential`` is the name that AZURE_TOKEN_CREDENTIALS knows it by;
    ``advice`` is what to do when it fails.
    """

    name: str
    credential: str
    make: Callable[[Mapping[str, str]], Any]
    advice: str
    needs: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    on_a_desk: bool = False

    def missing(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The variables that it lacks."""
        return tuple(name for name in self.needs if not environ.get(name))

    def is_wanted(self, environ: Mapping[str, str]) -> bool:
        """Whether some of what only this way takes is there."""
        return any(environ.get(name) for name in self.signs)


def login_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Values that must not be shown, whatever an error says; the longest first."""
    return tuple(sorted((environ[name] for name in _SECRETS if environ.get(name)), key=len, reverse=True))


def _identity() -> Any:
    try:
        import azure.identity  # noqa: PLC0415 - heavy
    except ImportError:
        raise ExtraMissing("Azure takes azure-identity.", hint="pip install 'flowyard[azure]'") from None
    return azure.identity


def _authority(environ: Mapping[str, str]) -> dict[str, Any]:
    """The authority that was named, which is not looked up at the public cloud's: that need not know or reach it."""
    given = environ.get("AZURE_AUTHORITY_HOST")
    return {"authority": given, "disable_instance_discovery": True} if given else {}


def _secret(environ: Mapping[str, str]) -> Any:
    return _identity().ClientSecretCredential(
        *(environ[name] for name in (*_APPLICATION, "AZURE_CLIENT_SECRET")), **_authority(environ)
    )


def _certificate(environ: Mapping[str, str]) -> Any:
    return _identity().CertificateCredential(
        *(environ[name] for name in (*_APPLICATION, "AZURE_CLIENT_CERTIFICATE_PATH")),
        password=environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None,
        send_certificate_chain=environ.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "").lower() in ("1", "true"),
        **_authority(environ),
    )


def _token_file(environ: Mapping[str, str]) -> Any:
    return _identity().WorkloadIdentityCredential(
        tenant_id=environ["AZURE_TENANT_ID"],
        client_id=environ["AZURE_CLIENT_ID"],
        token_file_path=environ["AZURE_FEDERATED_TOKEN_FILE"],
        **_assertion_authority(environ),
    )


def _github(environ: Mapping[str, str]) -> Any:
    return _identity().ClientAssertionCredential(
        *(environ[name] for name in _APPLICATION), lambda: github_assertion(environ), **_assertion_authority(environ)
    )


def _devops(environ: Mapping[str, str]) -> Any:
    return _identity().ClientAssertionCredential(
        environ["AZURESUBSCRIPTION_TENANT_ID"],
        environ["AZURESUBSCRIPTION_CLIENT_ID"],
        lambda: devops_assertion(environ),
        **_assertion_authority(environ),
    )


def _assertion_authority(environ: Mapping[str, str]) -> dict[str, Any]:
    given = environ.get("AZURE_AUTHORITY_HOST")
    return {"authority": given} if given else {}


def _managed_identity(environ: Mapping[str, str]) -> Any:
    identity = _identity()
    if not any(environ.get(name) for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")):
        _require_metadata(environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or _METADATA)
    return identity.ManagedIdentityCredential(client_id=environ.get("AZURE_CLIENT_ID") or None)


def _require_metadata(address: str) -> None:
    """azure-identity waits long for a service that only machines in Azure have, so it is looked for first."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_PROBE_S).close()
    except (OSError, ValueError):
        raise NotHere(f"this machine is not in Azure (nobody answers at {parts.hostname})") from None


def _cli(environ: Mapping[str, str]) -> Any:
    return _identity().AzureCliCredential(tenant_id=environ.get("AZURE_TENANT_ID") or "", process_timeout=30)


def _developer_cli(environ: Mapping[str, str]) -> Any:
    return _identity().AzureDeveloperCliCredential(tenant_id=environ.get("AZURE_TENANT_ID") or "", process_timeout=30)


def _power_shell(environ: Mapping[str, str]) -> Any:
    return _identity().AzurePowerShellCredential(tenant_id=environ.get("AZURE_TENANT_ID") or "", process_timeout=30)


LOGIN_WAYS: tuple[LoginWay, ...] = (
    LoginWay(
        "service principal with a secret",
        "EnvironmentCredential",
        _secret,
        "The secret may have ended: az ad app credential list --id CLIENT_ID. A federated credential needs none: "
        "flowyard azure setup --print.",
        needs=(*_APPLICATION, "AZURE_CLIENT_SECRET"),
        signs=("AZURE_CLIENT_SECRET",),
    ),
    LoginWay(
        "service principal with a certificate",
        "EnvironmentCredential",
        _certificate,
        "The file has to have the certificate and its key, and the application its public part: "
        "az ad app credential list --id CLIENT_ID --cert.",
        needs=(*_APPLICATION, "AZURE_CLIENT_CERTIFICATE_PATH"),
        signs=("AZURE_CLIENT_CERTIFICATE_PATH",),
    ),
    LoginWay(
        "workload identity (token file)",
        "WorkloadIdentityCredential",
        _token_file,
        "The application has to trust the issuer and subject of the token in the file: "
        "az ad app federated-credential list --id CLIENT_ID.",
        needs=(*_APPLICATION, "AZURE_FEDERATED_TOKEN_FILE"),
        signs=("AZURE_FEDERATED_TOKEN_FILE",),
    ),
    LoginWay(
        "workload identity of GitHub Actions",
        "WorkloadIdentityCredential",
        _github,
        "The job needs `permissions: id-token: write`, and the application has to trust its subject "
        "(repo:OWNER/REPO:environment:E): az ad app federated-credential list --id CLIENT_ID.",
        needs=(*_APPLICATION, "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        signs=("ACTIONS_ID_TOKEN_REQUEST_URL",),
    ),
    LoginWay(
        "service connection of Azure DevOps",
        "AzurePipelinesCredential",
        _devops,
        "The step needs `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`, and the service connection has to be one "
        "with workload identity federation: az devops service-endpoint list.",
        needs=(
            *("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN", "AZURESUBSCRIPTION_CLIENT_ID"),
            *("AZURESUBSCRIPTION_TENANT_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"),
        ),
        signs=("SYSTEM_OIDCREQUESTURI",),
    ),
    LoginWay(
        "managed identity",
        "ManagedIdentityCredential",
        _managed_identity,
        "The machine needs an identity: az vm identity show, az webapp identity show. AZURE_CLIENT_ID names one.",
    ),
    LoginWay("Azure CLI", "AzureCliCredential", _cli, "az login", on_a_desk=True),
    LoginWay("Azure Developer CLI", "AzureDeveloperCliCredential", _developer_cli, "azd auth login", on_a_desk=True),
    LoginWay("Azure PowerShell", "AzurePowerShellCredential", _power_shell, "Connect-AzAccount", on_a_desk=True),
)
"""In the order in which they are looked at. Those with variables come first: somebody set them for this."""
