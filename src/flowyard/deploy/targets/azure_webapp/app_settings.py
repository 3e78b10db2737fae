"""App settings of a deployment: its variables, references to secrets, and what it is.

They are the one thing that is swapped together with the container, so they say which deployment a slot has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flowyard._util.redact import may_be_secret
from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.errors import UserError

__all__ = ["KEY_VARIABLE", "Facts", "deployment_settings", "plain_secrets", "read_facts", "secret_address"]

KEY_VARIABLE = "FLOWYARD_SERVE_KEY"
_NAME, _VERSION, _DIGEST, _MADE = (f"FLOWYARD_DEPLOYMENT{end}" for end in ("", "_VERSION", "_DIGEST", "_MADE_AT"))
_FIXED = {
    "WEBSITES_PORT": "8080",
    "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
    "WEBSITE_SWAP_WARMUP_PING_PATH": "/health",
    "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
    "FLOWYARD_HOME": "/tmp/flowyard",  # noqa: S108 - in the container
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a deployment says of itself. ``made_at`` is when, in ISO format."""

    name: str
    version_label: str
    digest: str
    made_at: str


def read_facts(settings: Mapping[str, str]) -> Facts | None:
    """The facts among app settings; None where there is no deployment of ours."""
    if not settings.get(_NAME):
        return None
    return Facts(settings[_NAME], settings.get(_VERSION, ""), settings.get(_DIGEST, ""), settings.get(_MADE, ""))


def deployment_settings(
    wanted: WantedDeployment, options: AzureWebappOptions, environ: Mapping[str, str]
) -> dict[str, str]:
    """All settings of a deployment; secrets are references where the options say which. Raises UserError."""
    references = {name: _reference(secret_address(secret, options)) for name, secret in options.secrets.items()}
    key = environ.get(KEY_VARIABLE)
    if not key and KEY_VARIABLE not in {**references, **wanted.variables}:
        raise UserError(
            f"A web app is reached by everybody, so requests need a key, and there is no {KEY_VARIABLE}.",
            hint=f"export {KEY_VARIABLE}=…; options: {{secrets: {{{KEY_VARIABLE}: NAME}}}} has the app read it "
            "from a key vault.",
        )
    facts = {
        _NAME: wanted.name,
        _VERSION: wanted.version_label,
        _DIGEST: wanted.digest,
        _MADE: datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    start = {"WEBSITES_CONTAINER_START_TIME_LIMIT": f"{options.start_s:.0f}"}
    given = {KEY_VARIABLE: key} if key else {}
    return {**_FIXED, **start, **given, **wanted.variables, **references, **facts}


def plain_secrets(wanted: WantedDeployment, options: AzureWebappOptions, environ: Mapping[str, str]) -> Sequence[str]:
    """Names of variables that look like secrets and would be plain settings, readable for whoever manages the app."""
    names = [name for name in wanted.variables if may_be_secret(name)]
    if environ.get(KEY_VARIABLE) and KEY_VARIABLE not in names:
        names.append(KEY_VARIABLE)
    return [name for name in names if name not in options.secrets]


def secret_address(secret: str, options: AzureWebappOptions) -> str:
    """The address of a secret that the options name. Raises UserError where they do not say in which vault."""
    if secret.startswith("https://"):
        return secret
    if options.key_vault is None:
        raise UserError(
            f"The secret {secret!r} is in no vault.", hint="options: {key_vault: NAME}, or the secret's whole address."
        )
    vault = options.key_vault
    host = vault if vault.startswith("https://") else f"https://{vault}.vault.azure.net"
    return f"{host.rstrip('/')}/secrets/{secret}"


def _reference(address: str) -> str:
    return f"@Microsoft.KeyVault(SecretUri={address})"
