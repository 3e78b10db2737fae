"""Where records of runs and experiments are kept."""

from flowyard.store.folder import FolderStore

__all__ = ["FolderStore"]
