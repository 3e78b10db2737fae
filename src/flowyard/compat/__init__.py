"""Names of other packages that user code imports; re-exports without logic."""
