"""Answers of models, and results of nodes, that are kept so that nobody pays for them twice."""

from flowyard.llm.cache.rules import DEFAULT_CACHE_BYTES, CacheMode, CacheRules, cache_file

__all__ = ["DEFAULT_CACHE_BYTES", "CacheMode", "CacheRules", "cache_file"]
