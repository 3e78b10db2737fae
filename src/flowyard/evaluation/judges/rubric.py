"""A judge by criteria of the user's own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.errors import UserError
from flowyard.evaluation.judges.criteria import Criteria, Example
from flowyard.evaluation.judges.judge import CriteriaJudge
from flowyard.evaluation.judges.scale import Scale, parse_scale

__all__ = ["Rubric"]

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_INPUTS = ("question", "answer", "context", "ground_truth")


class Rubric(CriteriaJudge):
    """``rubric``: a grade by the user's own criteria, which are the text of the option of that name.

    ``scale`` is ``[lowest, highest]``, or ``labels`` are the answers there are; ``meanings`` say when each is right.
    ``examples`` are ``{material: {…}, grade: …, reason: …}``. ``inputs`` are the names of what is judged; without them
    they are ``answer`` and, where they are given, ``question``, ``context`` and ``ground_truth``. Raises UserError.
    """

    def __init__(
        self,
        rubric: str,
        *,
        scale: Any = None,
        labels: Any = None,
        meanings: Any = None,
        examples: Any = None,
        inputs: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(rubric, str) or not rubric.strip():
            raise UserError(
                "A rubric judge needs its criteria as a text.", hint="options: {rubric: 'Is the answer …?'}"
            )
        answers = parse_scale(scale, labels, meanings)
        super().__init__(Criteria("rubric", rubric, answers, _examples(examples, answers)), options)
        self.__signature__ = _signature(inputs)

    async def __call__(self, **material: Any) -> dict[str, Any]:
        """The grade of the material. Raises ValueError when nothing was given, ProviderError."""
        given = {label: value for label, value in material.items() if value is not None and value != ""}
        if not given:
            raise ValueError("There is nothing to grade: all inputs are empty.")
        return await self.graded(**given)


def _signature(inputs: Sequence[str] | None) -> inspect.Signature:
    """What a call takes by name, which only this judge knows."""
    if inputs is None:
        return inspect.Signature([_parameter(name, required=name == "answer") for name in _INPUTS])
    names = list(inputs) if isinstance(inputs, Sequence) and not isinstance(inputs, str) else []
    if not names or not all(isinstance(name, str) and _NAME.match(name) for name in names):
        raise UserError("'inputs' of a rubric judge must be a list of names.", hint="inputs: [question, answer]")
    return inspect.Signature([_parameter(name, required=True) for name in dict.fromkeys(names)])


def _parameter(name: str, *, required: bool) -> inspect.Parameter:
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Any)


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
