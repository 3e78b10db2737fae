"""The package tools of prompt flow that come with flowyard, by the ids that flows know them by.

Each is an ``async`` function; of ``services``, ``folder``, ``prompt`` and ``picture_prompt`` it takes what it needs,
and its other parameters are what a node gives. They are imported when a flow uses them.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BUILT_IN_TOOLS", "RENAMED_TOOLS"]

BUILT_IN_TOOLS: Mapping[str, str] = {
    "promptflow.tools.aoai_gpt4v.AzureOpenAI.chat": "flowyard.tools.vision:azure_chat",
    "promptflow.tools.azure_content_safety.analyze_text": "flowyard.tools.content_safety:analyze_text",
    "promptflow.tools.embedding.embedding": "flowyard.tools.embedding:embedding",
    "promptflow.tools.llm.llm": "flowyard.tools.llm:llm",
    "promptflow.tools.llm_vision.llm_vision": "flowyard.tools.vision:llm_vision",
    "promptflow.tools.open_model_llm.OpenModelLLM.call": "flowyard.tools.open_model:call",
    "promptflow.tools.openai_gpt4v.OpenAI.chat": "flowyard.tools.vision:openai_chat",
    "promptflow.tools.serpapi.SerpAPI.search": "flowyard.tools.serpapi:search",
    "promptflow_vectordb.tool.common_index_lookup.search": "flowyard.tools.index_lookup:search",
    "promptflow_vectordb.tool.faiss_index_lookup.FaissIndexLookup.search": "flowyard.tools.faiss_lookup:search",
    "promptflow_vectordb.tool.vector_db_lookup.VectorDBLookup.search": "flowyard.tools.vector_db:search",
    "promptflow_vectordb.tool.vector_index_lookup.VectorIndexLookup.search": "flowyard.tools.index_lookup:search_in",
}
"""Tool id -> ``module:function``."""

RENAMED_TOOLS: Mapping[str, str] = {
    "content_safety_text.tools.content_safety_text_tool.analyze_text": (
        "promptflow.tools.azure_content_safety.analyze_text"
    ),
    "embeddingstore.tool.faiss_index_lookup.search": (
        "promptflow_vectordb.tool.faiss_index_lookup.FaissIndexLookup.search"
    ),
    "embeddingstore.tool.vector_db_lookup.search": "promptflow_vectordb.tool.vector_db_lookup.VectorDBLookup.search",
    "embeddingstore.tool.vector_index_lookup.search": (
        "promptflow_vectordb.tool.vector_index_lookup.VectorIndexLookup.search"
    ),
}
"""Former tool id -> tool id."""
