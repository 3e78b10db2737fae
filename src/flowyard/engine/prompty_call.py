"""One call of a prompty: its template rendered, the model asked, the answer read as the file says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.flows.model import PromptyFlow
from flowyard.llm.answer import Answer
from flowyard.llm.messages import RoleEscapes, parse_chat
from flowyard.llm.model_choice import choose_model
from flowyard.llm.parameters import NOTED_USAGE
from flowyard.llm.prompty_parameters import (
    asks_for_stream,
    build_prompty_request,
    first_choice,
    json_answer,
    stream_piece,
)
from flowyard.llm.services import Services
from flowyard.llm.template import parse_template, render
from flowyard.media import placeholders, prompty_image, separate_images
from flowyard.media.urls import UrlRules
from flowyard.records import ModelRequest

__all__ = ["PromptyCall", "PromptyPrompt", "RenderedPrompt", "complete_inputs"]

_OURS = frozenset({"flowyard_simulated", NOTED_USAGE})
"""What we put into chunks for ourselves."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The messages of a chat, or the text for a completion model; ``values`` are the inputs with their pictures."""

    content: str | list[dict[str, Any]]
    values: tuple[Any, ...] = ()


def complete_inputs(flow: PromptyFlow, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a call: the sample when none are given, defaults filled in, and nothing that is no input.

    Values keep their types. Raises UserError naming what is missing.
    """
    known = {name: value for name, value in given.items() if name in flow.inputs or name != "timeout"} or flow.sample
    missing = [name for name, declared in flow.inputs.items() if declared.required and name not in known]
    if missing:
        unknown = [name for name in known if name not in flow.inputs]
        near = did_you_mean(unknown[0], missing) if unknown else None
        hint = near or f"Given: {known_names(known)}."
        raise UserError(f"Prompty {flow.name!r} lacks required inputs: {known_names(missing)}.", hint=hint)
    return {name: known.get(name, declared.default) for name, declared in flow.inputs.items()}


class PromptyPrompt:
    """The parsed template of a prompty. Raises UserError with file:line when it is not valid."""

    def __init__(self, flow: PromptyFlow) -> None:
        self.flow = flow
        self._template = parse_template(separate_images(flow.template), flow.file.name, flow.template_line)

    def holes(self) -> tuple[str, ...]:
        """A warning for each name that is no input, which therefore renders empty."""
        inputs = sorted(self.flow.inputs)
        return tuple(
            f"{self.flow.file.name}: the prompt reads {name!r}, which is no input, so it renders empty. "
            f"{did_you_mean(name, inputs) or f'Inputs: {known_names(inputs)}.'}"
            for name in sorted(self._template.variables.difference(inputs))
        )

    async def render(self, inputs: Mapping[str, Any], urls: UrlRules) -> RenderedPrompt:
        """The prompt with these inputs.

        No input can start a message of its own, however deep it lies in lists and dicts. Strings of the form
        ``data:image/png;path: cat.png`` become pictures. Raises UserError, and ValueError with Jinja's reason.
        """
        folder = self.flow.folder
        values = {name: await prompty_image(value, folder, urls, name=name) for name, value in inputs.items()}
        if self.flow.api == "completion":
            return RenderedPrompt(render(self._template, values))
        escapes = RoleEscapes()
        text = render(self._template, {name: escapes.escape(value) for name, value in values.items()})
        return RenderedPrompt(parse_chat(text, images=placeholders(values), escapes=escapes), tuple(values.values()))


class PromptyCall:
    """A prompty with the model that it asks. Raises UserError or ConnectionMissing when the model cannot be chosen."""

    def __init__(self, prompt: PromptyPrompt, services: Services) -> None:
        flow = prompt.flow
        self._prompt = prompt
        self._flow = flow
        self._services = services
        needed_by = f"Prompty {flow.name!r} ({flow.where})"
        self._choice = choose_model(
            flow.configuration, services.connections, name=flow.file.name, needed_by=needed_by, where=flow.where
        )
        # What cannot be opened, or sent, is found before the first line.
        services.provider(self._choice.connection)
        self._build("", None)
        self._names = tuple(flow.outputs) if flow.declared_outputs else ()

    async def answer(self, inputs: Mapping[str, Any], timeout_s: float | None = None) -> Any:
        """What the prompty returns: a text, a dict, an ``Answer``, or an asynchronous generator of pieces.

        A stream is open when it is returned, so that a refusal is raised here. Raises ProviderError and LineError.
        """
        request = await self._request(inputs, timeout_s)
        if asks_for_stream(self._flow.parameters):
            return await self._streamed(request)
        reply = await self._services.call(self._choice.connection, request)
        if self._flow.response == "all":
            return Answer(reply.body)
        first = first_choice(self._flow.api, reply.body)
        return first if isinstance(first, dict) else self._settled(first)

    @property
    def can_stream(self) -> bool:
        """Whether the answer is a text that may be shown as it grows."""
        return self._flow.response == "first" and self._flow.output_names == ("output",)

    async def pieces(self, inputs: Mapping[str, Any]) -> AsyncIterator[str]:
        """The answer's text in pieces, whatever the file's ``stream`` says."""
        return await _opened(self._texts(await self._request(inputs, None)))

    async def _request(self, inputs: Mapping[str, Any], timeout_s: float | None) -> ModelRequest:
        return self._build((await self._prompt.render(inputs, self._services.urls)).content, timeout_s)

    def _build(self, prompt: str | list[dict[str, Any]], timeout_s: float | None) -> ModelRequest:
        try:
            return build_prompty_request(self._flow.api, self._choice.model, self._flow.parameters, prompt, timeout_s)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=self._flow.where) from None

    async def _streamed(self, request: ModelRequest) -> Any:
        if self._flow.response == "all":
            return await _opened(self._chunks(request))
        if not self._flow.answers_json:
            return await _opened(self._texts(request))
        return self._settled("".join([text async for text in self._texts(request)]))

    def _settled(self, text: str | None) -> Any:
        return json_answer(text, self._names) if self._flow.answers_json else text

    async def _texts(self, request: ModelRequest) -> AsyncGenerator[str, None]:
        async for chunk in self._services.stream(self._choice.connection, request):
            piece = stream_piece(self._flow.api, chunk)
            if piece:
                yield piece

    async def _chunks(self, request: ModelRequest) -> AsyncGenerator[Answer, None]:
        async for chunk in self._services.stream(self._choice.connection, request):
            yield Answer({name: value for name, value in chunk.items() if name not in _OURS})


async def _opened(stream: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
    """The same stream after its first item has arrived."""
    try:
        first = [await anext(stream)]
    except StopAsyncIteration:
        first = []

    async def items() -> AsyncIterator[Any]:
        async with aclosing(stream):
            for item in first:
                yield item
            async for item in stream:
                yield item

    return items()
