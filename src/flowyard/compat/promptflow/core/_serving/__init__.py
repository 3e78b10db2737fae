"""The package ``promptflow.core._serving``."""

from flowyard._util.promptflow_names import uncovered_names

__all__ = []
__getattr__ = uncovered_names("promptflow.core._serving")
