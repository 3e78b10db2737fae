"""The names of ``promptflow.tools``: package tools that code calls itself."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow.tools.aoai import AzureOpenAI
from flowyard.compat.promptflow.tools.openai import OpenAI
from flowyard.compat.promptflow.tools.serpapi import SerpAPI

__all__ = ["AzureOpenAI", "OpenAI", "SerpAPI"]
__getattr__ = uncovered_names("promptflow.tools")
