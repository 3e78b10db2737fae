"""Evaluators that come with flowyard: by the words an answer shares with the expected one, and by a judging model."""

from flowyard.evaluation.builtin.answer_quality import Coherence, Fluency, Groundedness, Relevance, Similarity
from flowyard.evaluation.builtin.azure_only import AzureOnly
from flowyard.evaluation.builtin.chat import Chat, Retrieval
from flowyard.evaluation.builtin.question_answering import QuestionAnswering
from flowyard.evaluation.builtin.text_overlap import (
    BleuScore,
    F1Score,
    GleuScore,
    MeteorScore,
    RougeScore,
    RougeType,
)

__all__ = [
    "AzureOnly",
    "BleuScore",
    "Chat",
    "Coherence",
    "F1Score",
    "Fluency",
    "GleuScore",
    "Groundedness",
    "MeteorScore",
    "QuestionAnswering",
    "Relevance",
    "Retrieval",
    "RougeScore",
    "RougeType",
    "Similarity",
]
