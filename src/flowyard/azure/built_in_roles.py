"""The roles that deploying to Azure takes, as Azure calls them, and the command that gives one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

__all__ = [
    "ACR_PULL",
    "ACR_PUSH",
    "BLOB_CONTRIBUTOR",
    "BLOB_READER",
    "CONNECTION_READER",
    "DATA_SCIENTIST",
    "DEFINITIONS",
    "DEPLOYER_ROLES",
    "ENDPOINT_ROLES",
    "PRINCIPAL",
    "Part",
    "role_assignment",
]

Part = Literal["workspace", "containerRegistry", "storageAccount"]
"""A workspace of Azure ML, or a resource of it, as the workspace's record names it."""

CONNECTION_READER = "Azure Machine Learning Workspace Connection Secrets Reader"
ACR_PULL = "AcrPull"
BLOB_READER = "Storage Blob Data Reader"
DATA_SCIENTIST = "AzureML Data Scientist"
ACR_PUSH = "AcrPush"
BLOB_CONTRIBUTOR = "Storage Blob Data Contributor"

ENDPOINT_ROLES: Mapping[Part, str] = {
    "workspace": CONNECTION_READER,
    "containerRegistry": ACR_PULL,
    "storageAccount": BLOB_READER,
}
"""What the identity of an endpoint needs: connections, the image and registered files."""

DEPLOYER_ROLES: Mapping[Part, str] = {
    "workspace": DATA_SCIENTIST,
    "containerRegistry": ACR_PUSH,
    "storageAccount": BLOB_CONTRIBUTOR,
}
"""What somebody needs who deploys."""

DEFINITIONS: Mapping[str, str] = {
    CONNECTION_READER: "ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
    ACR_PULL: "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    BLOB_READER: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
}
"""The ids of the definitions of the endpoint's roles, the same in every subscription."""

PRINCIPAL = ("--assignee-principal-type", "ServicePrincipal")
"""Says that an object id is that of an application or an identity, so that nobody has to look for it."""

_Word = TypeVar("_Word")


def role_assignment(principal: _Word, role: str, scope: _Word) -> tuple[str | _Word, ...]:
    """The words of the command that gives a role to an application or an identity, by its object id."""
    words = ("az", "role", "assignment", "create", "--assignee-object-id", principal)
    return (*words, *PRINCIPAL, "--role", role, "--scope", scope)
