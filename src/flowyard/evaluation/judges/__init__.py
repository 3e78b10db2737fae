"""Judges of experiments: a language model grades what a flow answered, and says why."""

from flowyard.evaluation.judges.answers import (
    Coherence,
    Fluency,
    Groundedness,
    QuestionAnswering,
    Relevance,
    Retrieval,
    Similarity,
)
from flowyard.evaluation.judges.pairwise import Pairwise
from flowyard.evaluation.judges.rubric import Rubric

__all__ = [
    "JUDGES",
    "Coherence",
    "Fluency",
    "Groundedness",
    "Pairwise",
    "QuestionAnswering",
    "Relevance",
    "Retrieval",
    "Rubric",
    "Similarity",
]

JUDGES = {
    "groundedness": Groundedness,
    "relevance": Relevance,
    "coherence": Coherence,
    "fluency": Fluency,
    "similarity": Similarity,
    "retrieval": Retrieval,
    "qa": QuestionAnswering,
    "pairwise": Pairwise,
    "rubric": Rubric,
}
"""The judges by the name of ``type:``."""
