"""Registries by the beginning of their URL; each store is imported when it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from flowyard.abc import RegistryStore
from flowyard.errors import UserError
from flowyard.registry.blobs import Blobs, LocalBlobs
from flowyard.registry.registry import Registry
from flowyard.registry.stores.sql import SqlRegistryStore
from flowyard.settings import Settings
from flowyard.store.open import open_database

__all__ = ["open_registry"]

_OPENERS: Mapping[str, str] = {
    "mlflow+http": "flowyard.registry.stores.mlflow:open_store",
    "mlflow+https": "flowyard.registry.stores.mlflow:open_store",
    "mlflow+azureml": "flowyard.registry.stores.mlflow:open_store",
    "azureml": "flowyard.registry.stores.azure_ml:open_store",
}
"""What opens a store, given its URL and the environment's variables."""


def open_registry(settings: Settings) -> Registry:
    """The registry that the settings name; by default the database that has the records of runs, and a folder.

    Nothing is connected or made yet. Raises UserError for a URL that is not known, ExtraMissing for a store that needs
    a package.
    """
    cache = settings.home / "registry"
    if settings.registry is None:
        database = open_database(settings.home, settings.store)
        return Registry(SqlRegistryStore(database, _open_blobs(settings.registry_files, cache)), cache)
    files = {"FLOWYARD_REGISTRY_FILES": settings.registry_files} if settings.registry_files else {}
    return Registry(_opener(settings.registry)(settings.registry, {**settings.environ, **files}), cache)


def _opener(url: str) -> Callable[[str, Mapping[str, str]], RegistryStore]:
    place = _OPENERS.get(urlsplit(url).scheme)
    if place is None:
        raise UserError(
            "The registry's URL is none that flowyard knows.",
            hint="FLOWYARD_REGISTRY or registry.url: mlflow+https://HOST or azureml://subscriptions/…; or none.",
        )
    module, _, name = place.partition(":")
    opener: Callable[[str, Mapping[str, str]], RegistryStore] = getattr(import_module(module), name)
    return opener


def _open_blobs(place: str | None, folder: Path) -> Blobs:
    if place is None or "://" not in place:
        return LocalBlobs(folder if place is None else Path(place))
    from flowyard.registry.blobs_fsspec import FsspecBlobs  # noqa: PLC0415 - fsspec is for URLs only

    return FsspecBlobs(place)
