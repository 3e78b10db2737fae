"""Asking a model for judgements: in the strictest form that it takes, again when the answer is none, several times."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from flowyard.errors import ProviderError, UserError
from flowyard.evaluation.judges.answer import Judgement, NoGrade, parse_judgement, response_format
from flowyard.evaluation.judges.criteria import Criteria
from flowyard.evaluation.judges.prompt import judge_messages, with_correction
from flowyard.evaluation.judges.settings import JudgeSettings
from flowyard.llm.kept_refusals import kept_refusals
from flowyard.llm.model_choice import ModelChoice, choose_model
from flowyard.llm.prompty_parameters import first_choice
from flowyard.llm.services import Services, current_services
from flowyard.records import ModelRequest

__all__ = ["Asking"]

_TIMEOUT_S = 600.0
_REFUSALS = frozenset({None, 400, 404, 415, 422, 501})
"""What endpoints answer to fields that they do not know; None is a replay in which the call is not recorded."""

_LEFT_OUT = ("seed", "temperature")
"""Fields that are not sent to an endpoint that refuses them by name."""


class Asking:
    """One judge's way to its model. ``label`` starts the sentences of errors.

    What the endpoint refuses once is not sent to it again: a form of answer, a seed, a temperature. Where answers are
    kept this holds for later runs too. Raises UserError or ConnectionMissing when the model cannot be chosen, as soon
    as a flow's services are there.
    """

    def __init__(self, settings: JudgeSettings, label: str) -> None:
        self._settings = settings
        self._label = label
        self._form = 0
        self._refused: frozenset[str] = frozenset()
        self._has_recalled = False
        services = current_services()
        if services is not None:
            services.provider(self._choice(services).connection)

    async def votes(self, criteria: Criteria, values: Mapping[str, Any]) -> list[Judgement | str]:
        """A judgement for each vote, or why it is none. Raises ProviderError when the model cannot be asked."""
        count = self._settings.votes
        return await together([self.judgement(criteria, values, vote) for vote in range(count)])

    async def judgement(self, criteria: Criteria, values: Mapping[str, Any], vote: int = 0) -> Judgement | str:
        """One vote; an answer that is no judgement is asked for once more. Raises ProviderError."""
        messages, canary = judge_messages(criteria, values, canary=self._settings.canary)
        try:
            return parse_judgement(await self._answer(criteria, messages, vote), criteria.scale, canary)
        except NoGrade as problem:
            again = with_correction(messages, str(problem))
        try:
            return parse_judgement(await self._answer(criteria, again, vote), criteria.scale, canary)
        except NoGrade as problem:
            return str(problem)

    async def _answer(self, criteria: Criteria, messages: list[dict[str, str]], vote: int) -> str | None:
        """The model's text, asked for in ever less strict forms while the endpoint refuses. Raises ProviderError."""
        first_error: ProviderError | None = None
        self._recall(criteria)
        form, refused = self._form, self._refused
        while True:
            body = self._body(criteria, messages, vote, form, refused)
            try:
                text = await self._asked(body)
            except ProviderError as error:
                first_error = first_error or error
                easier = self._easier(error, body, form, refused)
                if easier is None:
                    raise first_error from None
                form, refused = easier
            else:
                self._learn(criteria, form, refused)
                return text

    def _recall(self, criteria: Criteria) -> None:
        """Begin with what the endpoint took in an earlier run."""
        services = current_services()
        if self._has_recalled or services is None:
            return
        self._has_recalled = True
        choice, kept = self._choice(services), kept_refusals(services)
        names = (name for name in _LEFT_OUT if kept.has(choice.connection, choice.model, {name: None}))
        self._refused |= frozenset(names)
        forms = [self._form_fields(criteria, form) for form in range(len(self._settings.forms) - 1)]
        while self._form < len(forms) and kept.has(choice.connection, choice.model, forms[self._form]):
            self._form += 1

    def _learn(self, criteria: Criteria, form: int, refused: frozenset[str]) -> None:
        """Remember that a request was answered in this form and without these fields, and not before."""
        if form <= self._form and refused <= self._refused:
            return
        found = [self._form_fields(criteria, each) for each in range(self._form, form)]
        found += [{name: None} for name in sorted(refused - self._refused)]
        self._form, self._refused = max(form, self._form), refused | self._refused
        services = current_services()
        if services is not None:
            choice, kept = self._choice(services), kept_refusals(services)
            for fields in found:
                kept.keep(choice.connection, choice.model, fields)

    def _form_fields(self, criteria: Criteria, form: int) -> dict[str, Any]:
        return response_format(self._settings.forms[form], criteria.scale, canary=self._settings.canary)

    def _body(
        self, criteria: Criteria, messages: list[dict[str, str]], vote: int, form: int, refused: frozenset[str]
    ) -> dict[str, Any]:
        settings = self._settings
        sampling = {name: value for name, value in settings.sampling(vote).items() if name not in refused}
        return {**settings.parameters, **sampling, **self._form_fields(criteria, form), "messages": messages}

    def _easier(
        self, error: ProviderError, body: Mapping[str, Any], form: int, refused: frozenset[str]
    ) -> tuple[int, frozenset[str]] | None:
        """What to try after a refusal: without the field that it names, else the next form; None for nothing."""
        if error.retryable or error.status not in _REFUSALS:
            return None
        named = {name for name in _LEFT_OUT if name in body and name in error.message}
        if named:
            return form, refused | named
        return (form + 1, refused) if form + 1 < len(self._settings.forms) else None

    async def _asked(self, body: dict[str, Any]) -> str | None:
        services = current_services()
        if services is None:
            hint = "Name it in an experiment, or use it as an evaluator of a run."
            raise UserError(f"{self._label} can only be asked while a flow runs.", hint=hint)
        choice = self._choice(services)
        reply = await services.call(choice.connection, ModelRequest("chat", choice.model, body, _TIMEOUT_S))
        found = first_choice("chat", reply.body)
        return found if isinstance(found, str) else None

    def _choice(self, services: Services) -> ModelChoice:
        settings = self._settings
        configuration = {"type": "open_ai", "connection": settings.connection, "model": settings.model}
        return choose_model(configuration, services.connections, name=self._label, needed_by=self._label)


async def together(calls: list[Any]) -> list[Any]:
    """The results of coroutines that run at once, in order. Raises what the first failing one raises."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
