"""The package ``promptflow.contracts``."""

from flowyard._util.promptflow_names import uncovered_names

__all__ = []
__getattr__ = uncovered_names("promptflow.contracts")
