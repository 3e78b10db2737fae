"""Which Azure: the public one, a national one, or a stand-in for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from flowyard.errors import UserError

__all__ = ["BLOBS_VARIABLE", "MANAGEMENT_VARIABLE", "AzureCloud"]

MANAGEMENT_VARIABLE = "FLOWYARD_AZURE_MANAGEMENT"
"""Where the management API is, when not in the public cloud: ``https://management.usgovcloudapi.net``."""

BLOBS_VARIABLE = "FLOWYARD_AZURE_BLOBS"
"""Where blob storage is, when not where the workspace says; ``{account}`` stands for the storage account's name."""

_PUBLIC = "https://management.azure.com"


@dataclass(frozen=True, slots=True)
class AzureCloud:
    """Addresses without a slash at the end. ``blobs`` None means: as the storage account's own record has it."""

    management: str = _PUBLIC
    blobs: str | None = None
    ca_file: str | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> AzureCloud:
        """From the environment's variables. Raises UserError for an address that is not https."""
        blobs = environ.get(BLOBS_VARIABLE)
        return cls(
            management=_https(MANAGEMENT_VARIABLE, environ.get(MANAGEMENT_VARIABLE) or _PUBLIC),
            blobs=_https(BLOBS_VARIABLE, blobs) if blobs else None,
            ca_file=environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or None,
        )

    @property
    def management_scope(self) -> str:
        """What a token for the management API is asked for."""
        return f"{self.management}/.default"

    @property
    def storage_scope(self) -> str:
        """What a token for blob storage is asked for, in every cloud."""
        return "https://storage.azure.com/.default"

    def blob_account(self, account: str, protocol: str, endpoint: str) -> str:
        """The address of a storage account, from the three parts that a datastore's record has."""
        if self.blobs is not None:
            return self.blobs.replace("{account}", account)
        return _https("The datastore's address", f"{protocol or 'https'}://{account}.blob.{endpoint}")


def _https(name: str, address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UserError(f"{name} is not an https:// address.", hint="A login's token is sent there, so it has to be.")
    return address.rstrip("/")
