"""The names of ``promptflow.tools``: package tools that code calls itself."""

from flowyard.compat.promptflow.tools.aoai import AzureOpenAI
from flowyard.compat.promptflow.tools.openai import OpenAI
from flowyard.compat.promptflow.tools.serpapi import SerpAPI
from flowyard.engine.code import uncovered_names

__all__ = ["AzureOpenAI", "OpenAI", "SerpAPI"]
__getattr__ = uncovered_names("promptflow.tools")
