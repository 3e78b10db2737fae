"""The package tools of prompt flow that come with flowyard, by the ids that flows know them by.

Each is an ``async`` function whose first parameter is ``services``; one that renders a prompt takes it as ``prompt``.
They are imported when a flow uses them.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BUILT_IN_TOOLS", "RENAMED_TOOLS"]

BUILT_IN_TOOLS: Mapping[str, str] = {
    "promptflow.tools.embedding.embedding": "flowyard.tools.embedding:embedding",
}
"""Tool id -> ``module:function``."""

RENAMED_TOOLS: Mapping[str, str] = {
    "content_safety_text.tools.content_safety_text_tool.analyze_text": (
        "promptflow.tools.azure_content_safety.analyze_text"
    ),
}
"""Former tool id -> tool id."""
