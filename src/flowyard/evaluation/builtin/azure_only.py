"""Evaluators that only a service in Azure can answer: they say so when they are made."""

from __future__ import annotations

from typing import Any

from flowyard.errors import UserError

__all__ = ["AzureOnly"]


class AzureOnly:
    """Base of evaluators that ask Azure AI's service for risk and safety, which nothing here replaces.

    Making one raises UserError with what to use instead.
    """

    def __init__(self, *_args: Any, **_options: Any) -> None:
        raise UserError(
            f"{type(self).__name__} is answered by Azure AI's risk and safety service only; flowyard does not call it.",
            hint=(
                "To find harmful text, call azure_content_safety.analyze_text in a flow, with a connection to Azure "
                "AI Content Safety.\nThe package azure-ai-evaluation has the evaluator; it works beside flowyard."
            ),
        )
