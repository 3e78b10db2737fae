"""The package ``promptflow.contracts``."""
