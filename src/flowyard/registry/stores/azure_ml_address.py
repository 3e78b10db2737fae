"""Addresses of Azure ML: of a workspace, of a registry, and of files in a workspace's datastore."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowyard.azure import arm_path
from flowyard.errors import StoreError, UserError

__all__ = ["AzureMlPlace", "DatastorePath", "parse_place"]

_PROVIDER = ("providers", "Microsoft.MachineLearningServices")
_PART = r"[A-Za-z0-9][A-Za-z0-9._()-]{0,89}"
_WORKSPACE = re.compile(
    rf"azureml://subscriptions/(?P<subscription>{_PART})/resource[gG]roups/(?P<group>{_PART})"
    rf"/(?P<collection>workspaces|registries)/(?P<name>{_PART})/?"
)
_REGISTRY = re.compile(rf"azureml://registries/(?P<name>{_PART})/?")
_FILES = re.compile(r"azureml://(?:subscriptions/.+?/)?datastores/(?P<datastore>[A-Za-z0-9_-]+)/paths/(?P<path>.+)")


@dataclass(frozen=True, slots=True)
class AzureMlPlace:
    """A workspace, or a registry that several workspaces share. A registry may come without subscription and group."""

    name: str
    subscription: str = ""
    group: str = ""
    is_registry: bool = False

    @property
    def label(self) -> str:
        return f"Azure ML {'registry' if self.is_registry else 'workspace'} {self.name}"

    @property
    def path(self) -> str:
        """Its path in the management API."""
        collection = "registries" if self.is_registry else "workspaces"
        return arm_path(
            *("subscriptions", self.subscription, "resourceGroups", self.group, *_PROVIDER, collection, self.name)
        )


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """Files in a datastore of a workspace: the name of the datastore and a blob's name or the beginning of some."""

    datastore: str
    path: str

    def uri(self, place: AzureMlPlace) -> str:
        """As assets name it: the long form, which holds in every workspace."""
        return (
            f"azureml://subscriptions/{place.subscription}/resourcegroups/{place.group}/workspaces/{place.name}"
            f"/datastores/{self.datastore}/paths/{self.path}"
        )

    @classmethod
    def parse(cls, uri: str) -> DatastorePath:
        """From an asset. Raises StoreError for another kind of address."""
        match = _FILES.fullmatch(uri)
        if match is None:
            raise StoreError(f"The version's files are at {uri[:200]!r}, which is in no datastore.")
        return cls(match["datastore"], match["path"].rstrip("/"))


def parse_place(url: str) -> AzureMlPlace:
    """What ``registry.url`` names. Raises UserError, saying the forms there are."""
    if match := _WORKSPACE.fullmatch(url):
        return AzureMlPlace(
            match["name"], match["subscription"], match["group"], is_registry=match["collection"] == "registries"
        )
    if match := _REGISTRY.fullmatch(url):
        return AzureMlPlace(match["name"], is_registry=True)
    raise UserError(
        "That is no address of Azure ML.",
        hint="A workspace is azureml://subscriptions/ID/resourceGroups/GROUP/workspaces/NAME, "
        "a registry azureml://registries/NAME.",
    )
