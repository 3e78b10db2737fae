"""What each judge is asked, in our own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowyard.evaluation.judges.scale import ONE_TO_FIVE, Choice, Scale

__all__ = ["CRITERIA", "Criteria", "Example"]


@dataclass(frozen=True, slots=True)
class Example:
    """Material that was judged before, as a pattern: ``{label: value}``, the choice that is right, and why."""

    material: dict[str, Any]
    grade: Choice
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A question about some material, and what may be answered. ``name`` is that of the score."""

    name: str
    task: str
    scale: Scale = ONE_TO_FIVE
    examples: tuple[Example, ...] = field(default=())


def _graded(name: str, task: str, *meanings: str) -> Criteria:
    """Criteria on the scale from 1 to 5 with the meanings of 5, 4, 3, 2 and 1."""
    numbers = ONE_TO_FIVE.numbers
    return Criteria(name, task, Scale(numbers, False, dict(zip((5, 4, 3, 2, 1), meanings, strict=True))))


CRITERIA = {
    each.name: each
    for each in (
        _graded(
            "groundedness",
            "How far does the context support what the answer claims? Judge by the context alone: a claim that is true "
            "in the world but not supported there counts as unsupported.",
            "The context states or directly implies every claim.",
            "Every important claim is supported; a side remark is not.",
            "Some important claims are supported, others are not in the context.",
            "Few claims are supported.",
            "The context contradicts the answer, or supports none of it.",
        ),
        _graded(
            "relevance",
            "How well does the answer address what the question asks? Where a context is given, it says what the "
            "question is about. Whether the answer is true counts only as far as it shows that the question was "
            "understood.",
            "It answers everything that was asked, and little else.",
            "It answers the question, but leaves out a detail or strays once.",
            "It answers a part of the question.",
            "It is on the topic without answering the question.",
            "It has nothing to do with the question.",
        ),
        _graded(
            "coherence",
            "How well do the sentences of the answer follow from each other and form a whole reply to the question? "
            "Whether the answer is correct does not count. One complete sentence that replies is coherent.",
            "One clear line of thought from start to end.",
            "Easy to follow, with one rough transition.",
            "Understandable, but the order or the links between sentences cost effort.",
            "Mostly disconnected sentences.",
            "No line of thought can be made out.",
        ),
        _graded(
            "fluency",
            "How well is the answer written: grammar, spelling, choice of words, and how naturally it reads? What it "
            "says does not count.",
            "No mistakes, and it reads naturally.",
            "A small mistake or one clumsy phrase.",
            "Several mistakes, but always understandable.",
            "Mistakes make parts hard to understand.",
            "It cannot be read as sentences of a language.",
        ),
        _graded(
            "similarity",
            "How far does the answer say the same as ground_truth, the expected answer to the question? Other words "
            "for the same thing are the same; length and style do not count.",
            "The same in everything that matters.",
            "The same but for a small detail.",
            "A part is the same, a part is missing or different.",
            "Mostly different.",
            "Different, or the opposite.",
        ),
        _graded(
            "retrieval",
            "How much do the documents in the context help to answer the question, and do the helpful ones come first?",
            "All that is needed is there, and the most helpful comes first.",
            "All that is needed is there, but behind something less helpful.",
            "A part of what is needed is there.",
            "The documents touch on the topic without helping to answer.",
            "None of it has to do with the question.",
        ),
    )
}
"""The criteria of the judges that have their own, by name."""
