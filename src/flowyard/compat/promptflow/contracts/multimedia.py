"""The names of ``promptflow.contracts.multimedia``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.media import Image, PFBytes, Text

__all__ = ["Image", "PFBytes", "Text"]
__getattr__ = uncovered_names("promptflow.contracts.multimedia")
