"""How near two texts are in the space of an embedding model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from flowyard._util.aio import run_blocking
from flowyard.errors import LineError
from flowyard.evaluation.builtin.given import require_expected, text_of
from flowyard.llm.connection import Connection
from flowyard.llm.services import current_services
from flowyard.tools.embedding import embeddings

__all__ = ["EmbeddingSimilarity", "cosine"]


class EmbeddingSimilarity:
    """The cosine of two texts' vectors. ``model`` is the deployment on Azure."""

    def __init__(self, connection: Connection, model: str = "text-embedding-3-small") -> None:
        self._connection = connection
        self._model = model

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, float]:
        """``embedding_similarity`` from -1 to 1; 0 for an empty answer. Raises LineError, ProviderError."""
        expected, given = text_of(require_expected(ground_truth)), text_of(answer)
        if not expected.strip():
            raise LineError("There is no expected value: 'ground_truth' is empty.", hint="Label the line.")
        if not given.strip():
            return {"embedding_similarity": 0.0}
        services = current_services()
        assert services is not None, "evaluators are called by a session"
        vectors = run_blocking(embeddings(services, self._connection, self._model, [given, expected]))
        return {"embedding_similarity": cosine(*vectors)}


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """The cosine of the angle between two vectors; 0 when one has no direction. Raises LineError for two lengths."""
    if len(first) != len(second):
        raise LineError(f"The vectors have {len(first)} and {len(second)} numbers, so they cannot be compared.")
    lengths = math.hypot(*first) * math.hypot(*second)
    product = math.fsum(one * other for one, other in zip(first, second, strict=True))
    return max(-1.0, min(1.0, product / lengths)) if lengths else 0.0
