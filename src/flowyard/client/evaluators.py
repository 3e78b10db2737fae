"""The evaluators that come with flowyard, under the names and with the arguments of ``promptflow.evals``.

Judges ask through the flow whose code runs them, or through this process's connections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from flowyard.client.ambient import services
from flowyard.client.translate import speaking_promptflow
from flowyard.evaluation import builtin
from flowyard.evaluation.builtin import RougeType
from flowyard.llm.model_configuration import ModelConfiguration

__all__ = [
    "BleuScoreEvaluator",
    "ChatEvaluator",
    "CoherenceEvaluator",
    "ContentSafetyChatEvaluator",
    "ContentSafetyEvaluator",
    "F1ScoreEvaluator",
    "FluencyEvaluator",
    "GleuScoreEvaluator",
    "GroundednessEvaluator",
    "HateUnfairnessEvaluator",
    "IndirectAttackEvaluator",
    "MeteorScoreEvaluator",
    "ProtectedMaterialEvaluator",
    "QAEvaluator",
    "RelevanceEvaluator",
    "RetrievalChatEvaluator",
    "RougeScoreEvaluator",
    "RougeType",
    "SelfHarmEvaluator",
    "SexualEvaluator",
    "SimilarityEvaluator",
    "ViolenceEvaluator",
]

ModelConfig = ModelConfiguration | Mapping[str, Any]
_Evaluator = TypeVar("_Evaluator", bound=type)


def _speaking(evaluator: _Evaluator) -> _Evaluator:
    """The class, out of whose making and calls come prompt flow's exceptions."""
    for name in ("__init__", "__call__"):
        if any(name in vars(owner) for owner in evaluator.__mro__[:-1]):
            setattr(evaluator, name, _translated(getattr(evaluator, name)))
    return evaluator


def _translated(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*args: Any, **values: Any) -> Any:
        with speaking_promptflow():
            return function(*args, **values)

    return called


@_speaking
class F1ScoreEvaluator(builtin.F1Score):
    """``f1_score``: words that ``answer`` and ``ground_truth`` share, from 0 to 1."""


@_speaking
class BleuScoreEvaluator(builtin.BleuScore):
    """``bleu_score``: runs of words of ``answer`` that ``ground_truth`` has, from 0 to 1."""


@_speaking
class GleuScoreEvaluator(builtin.GleuScore):
    """``gleu_score``: Google's variant of BLEU for single sentences, from 0 to 1."""


@_speaking
class MeteorScoreEvaluator(builtin.MeteorScore):
    """``meteor_score``: words, stems and synonyms that both have, and their order, from 0 to 1."""


@_speaking
class RougeScoreEvaluator(builtin.RougeScore):
    """``rouge_precision``, ``rouge_recall`` and ``rouge_f1_score``, from 0 to 1."""


@_speaking
class GroundednessEvaluator(builtin.Groundedness):
    """``gpt_groundedness``: whether ``context`` supports ``answer``, from 1 to 5."""

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config, services)


@_speaking
class RelevanceEvaluator(builtin.Relevance):
    """``gpt_relevance``: whether ``answer`` addresses ``question``, given ``context``, from 1 to 5."""

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config, services)


@_speaking
class CoherenceEvaluator(builtin.Coherence):
    """``gpt_coherence``: whether the sentences of ``answer`` hang together, from 1 to 5."""

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config, services)


@_speaking
class FluencyEvaluator(builtin.Fluency):
    """``gpt_fluency``: whether ``answer`` is well-formed language, from 1 to 5."""

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config, services)


@_speaking
class SimilarityEvaluator(builtin.Similarity):
    """``gpt_similarity``: whether ``answer`` means the same as ``ground_truth``, from 1 to 5."""

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config, services)


@_speaking
class RetrievalChatEvaluator(builtin.Retrieval):
    """``gpt_retrieval``: whether the citations in ``conversation`` help to answer it, from 1 to 5."""

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config, services)


@_speaking
class QAEvaluator(builtin.QuestionAnswering):
    """Groundedness, relevance, coherence, fluency, similarity and ``f1_score`` of one answer."""

    def __init__(self, model_config: ModelConfig, parallel: bool = True) -> None:
        super().__init__(model_config, services, parallel)


@_speaking
class ChatEvaluator(builtin.Chat):
    """The grades of each reply in ``conversation``, and their means."""

    def __init__(self, model_config: ModelConfig, eval_last_turn: bool = False, parallel: bool = True) -> None:
        super().__init__(model_config, services, eval_last_turn, parallel)


@_speaking
class ViolenceEvaluator(builtin.AzureOnly):
    """Finds violence, in Azure only: making one raises UserErrorException."""


@_speaking
class SexualEvaluator(builtin.AzureOnly):
    """Finds sexual content, in Azure only: making one raises UserErrorException."""


@_speaking
class SelfHarmEvaluator(builtin.AzureOnly):
    """Finds self-harm, in Azure only: making one raises UserErrorException."""


@_speaking
class HateUnfairnessEvaluator(builtin.AzureOnly):
    """Finds hate and unfairness, in Azure only: making one raises UserErrorException."""


@_speaking
class ContentSafetyEvaluator(builtin.AzureOnly):
    """Finds the four harms in an answer, in Azure only: making one raises UserErrorException."""


@_speaking
class ContentSafetyChatEvaluator(builtin.AzureOnly):
    """Finds the four harms in a conversation, in Azure only: making one raises UserErrorException."""


@_speaking
class ProtectedMaterialEvaluator(builtin.AzureOnly):
    """Finds protected material, in Azure only: making one raises UserErrorException."""


@_speaking
class IndirectAttackEvaluator(builtin.AzureOnly):
    """Finds indirect attacks, in Azure only: making one raises UserErrorException."""
