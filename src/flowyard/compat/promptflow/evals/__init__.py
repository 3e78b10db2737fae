"""The names of ``promptflow.evals``."""

from flowyard._util.promptflow_names import uncovered_names

__all__ = []
__getattr__ = uncovered_names("promptflow.evals")
