"""How a judge asks: which model, how often, and how its votes become one grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.evaluation.judges.votes import COMBINATIONS, Combination
from flowyard.llm.connection import Connection

__all__ = ["FORMS", "JudgeSettings", "parse_settings"]

FORMS = ("json_schema", "json_object", "text")
"""The forms of answer that can be asked for, the strictest first."""

_MOST_VOTES = 25
_VOTING_TEMPERATURE = 0.7
_OURS = frozenset({"messages", "model", "response_format", "stream", "n", "seed", "temperature", "tools", "functions"})


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """The options that all judges share.

    ``connection`` is a connection or its name, ``model`` the model, or the deployment in Azure; without a connection
    they are OpenAI's, from the environment. ``combine`` says how votes become one grade; None is ``median`` for numbers
    and ``majority`` for labels. ``temperature`` None is 0 for one vote and 0.7 for several. Votes have the seeds
    ``seed``, ``seed + 1``, …; one vote is sent a seed only when the option is given. ``structured`` is the form of
    answer that is asked for, ``auto`` the strictest that the endpoint takes. Without ``canary`` an answer need not
    repeat the code of its instructions. ``parameters`` go into the request as they are.
    """

    connection: str | Connection | None = None
    model: str | None = None
    votes: int = 1
    combine: Combination | None = None
    temperature: float | None = None
    seed: int | None = None
    structured: str = "auto"
    canary: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def sampling(self, vote: int) -> dict[str, Any]:
        """The request's fields that make a vote (from 0) a sample of its own."""
        temperature = self.temperature
        if temperature is None:
            temperature = 0.0 if self.votes == 1 else _VOTING_TEMPERATURE
        seed = self.seed if self.votes == 1 else (self.seed or 0) + vote
        return {"temperature": temperature, **({} if seed is None else {"seed": seed})}

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms of answer to try, in this order."""
        return FORMS if self.structured == "auto" else (self.structured,)


def parse_settings(options: Mapping[str, Any]) -> JudgeSettings:
    """The settings that options say. Raises UserError naming the option that is wrong."""
    known = [each.name for each in fields(JudgeSettings)]
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known) or f"A judge takes: {known_names(known)}."
            raise UserError(f"A judge has no option {name!r}.", hint=hint)
    settings = JudgeSettings(**{name: value for name, value in options.items() if value is not None})
    _require_numbers(settings)
    _require_one_of("combine", settings.combine, (None, *COMBINATIONS))
    _require_one_of("structured", settings.structured, ("auto", *FORMS))
    if not isinstance(settings.canary, bool):
        raise UserError(f"The judge's option 'canary' must be true or false, not {settings.canary!r}.")
    _require_parameters(settings.parameters)
    return settings


def _require_numbers(settings: JudgeSettings) -> None:
    if not _is_whole(settings.votes) or not 1 <= settings.votes <= _MOST_VOTES:
        raise UserError(f"The judge's option 'votes' must be a whole number from 1 to {_MOST_VOTES}.")
    if settings.seed is not None and not _is_whole(settings.seed):
        raise UserError("The judge's option 'seed' must be a whole number.")
    temperature = settings.temperature
    if temperature is None:
        return
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not temperature >= 0:
        raise UserError("The judge's option 'temperature' must be a number from 0 up.")
    if settings.votes > 1 and temperature == 0:
        hint = "Leave out 'temperature', or 'votes'."
        raise UserError("Votes at temperature 0 are one vote, counted several times.", hint=hint)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_one_of(name: str, value: Any, known: tuple[str | None, ...]) -> None:
    if value not in known:
        names = [each for each in known if each]
        hint = did_you_mean(str(value), names) or f"It is one of: {known_names(names)}."
        raise UserError(f"The judge's option {name!r} cannot be {value!r}.", hint=hint)


def _require_parameters(parameters: Any) -> None:
    if not isinstance(parameters, Mapping):
        raise UserError("The judge's option 'parameters' must be a mapping, such as {max_tokens: 300}.")
    taken = sorted(_OURS & set(parameters))
    if taken:
        raise UserError(
            f"'parameters' of a judge cannot have {known_names(taken)}.", hint="The judge sets them itself."
        )
