"""A judge by criteria of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.errors import UserError
from flowyard.evaluation.judges.criteria import Criteria, Example
from flowyard.evaluation.judges.judge import CriteriaJudge, require_text
from flowyard.evaluation.judges.scale import Scale, parse_scale

__all__ = ["Rubric"]


class Rubric(CriteriaJudge):
    """``rubric``: a grade by the user's own criteria, which are the text of the option of that name.

    ``scale`` is ``[lowest, highest]``, or ``labels`` are the answers there are; ``meanings`` say when each is right.
    ``examples`` are ``{material: {…}, grade: …, reason: …}``. What is judged is ``answer``, beside ``question``,
    ``context`` and ``ground_truth`` where they are given; each may be any JSON value. Raises UserError.
    """

    def __init__(
        self,
        rubric: str,
        *,
        scale: Any = None,
        labels: Any = None,
        meanings: Any = None,
        examples: Any = None,
        **options: Any,
    ) -> None:
        if not isinstance(rubric, str) or not rubric.strip():
            raise UserError(
                "A rubric judge needs its criteria as a text.", hint="options: {rubric: 'Is the answer …?'}"
            )
        answers = parse_scale(scale, labels, meanings)
        super().__init__(Criteria("rubric", rubric, answers, _examples(examples, answers)), options)

    async def __call__(
        self, *, answer: Any, question: Any = None, context: Any = None, ground_truth: Any = None
    ) -> dict[str, Any]:
        """The grade of the material. Raises ValueError for an empty answer, ProviderError."""
        require_text(answer=answer)
        return await self.graded(question=question, context=context, ground_truth=ground_truth, answer=answer)


def _examples(examples: Any, scale: Scale) -> tuple[Example, ...]:
    if examples is None:
        return ()
    if not isinstance(examples, Sequence) or isinstance(examples, str):
        raise _bad_example()
    return tuple(_example(each, scale) for each in examples)


def _example(value: Any, scale: Scale) -> Example:
    if not isinstance(value, Mapping) or not isinstance(value.get("material"), Mapping):
        raise _bad_example()
    unknown = sorted(set(map(str, value)) - {"material", "grade", "reason"})
    if unknown:
        raise UserError(
            f"An example of a rubric has no {known_names(unknown)}.", hint="It has material, grade, reason."
        )
    if value.get("grade") not in scale.numbers or isinstance(value["grade"], bool):
        raise UserError(f"The grade of an example must be {scale.text}, not {value.get('grade')!r}.")
    return Example(dict(value["material"]), value["grade"], str(value.get("reason") or ""))


def _bad_example() -> UserError:
    hint = "examples: [{material: {answer: …}, grade: …, reason: …}]"
    return UserError("'examples' of a rubric judge must be a list of material with its grade.", hint=hint)
