"""The names of ``promptflow._core.tool``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.engine.input_settings import DynamicList, InputSetting
from flowyard.engine.tool import ToolProvider, tool

__all__ = ["DynamicList", "InputSetting", "ToolProvider", "tool"]
__getattr__ = uncovered_names("promptflow._core.tool")
