"""The names of ``promptflow.contracts.types``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.engine.tool import FilePath, PromptTemplate, Secret

__all__ = ["FilePath", "PromptTemplate", "Secret"]
__getattr__ = uncovered_names("promptflow.contracts.types")
