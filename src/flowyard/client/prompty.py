"""``Prompty`` and ``AsyncPrompty``: prompties as functions, from any thread and beside any running event loop.

Inside a flow they share its connections, its simulated model and its count of tokens.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from flowyard._util.aio import iterate_blocking, iterate_in_background, run_blocking, run_in_background
from flowyard.client.ambient import services
from flowyard.client.exceptions import MissingRequiredInputError, UserErrorException
from flowyard.client.translate import speaking_promptflow
from flowyard.engine.prompty_call import PromptyCall, PromptyPrompt, RenderedPrompt, complete_inputs
from flowyard.errors import UserError
from flowyard.flows.model import PromptyFlow
from flowyard.flows.prompty import load_prompty
from flowyard.llm.model_configuration import ModelConfiguration
from flowyard.llm.token_estimate import estimate_tokens
from flowyard.media import Image

__all__ = ["AsyncPrompty", "Prompty"]


class Prompty:
    """A ``.prompty`` file as a function of its inputs. Safe to call from several threads at once."""

    def __init__(
        self, path: str | os.PathLike[str], model: Mapping[str, Any] | None = None, **front_matter: Any
    ) -> None:
        with speaking_promptflow():
            self._read(path, model, front_matter)

    def _read(
        self, path: str | os.PathLike[str], model: Mapping[str, Any] | None, front_matter: Mapping[str, Any]
    ) -> None:
        file = Path(path).absolute()  # here, because code of a flow has a working directory of its own
        if file.suffix != ".prompty":
            raise UserError(f"{path} is not a prompty.", hint="Its name must end in .prompty.")
        overrides, configuration = _overrides(model, front_matter)
        self._flow = load_prompty(file, overrides, configuration)
        self._prompt = PromptyPrompt(self._flow)

    @classmethod
    def load(cls, source: str | os.PathLike[str], **overrides: Any) -> Self:
        """Read a file, relative to the caller's working directory.

        ``overrides`` are keys of the front matter and are laid over the file's, mappings key by key; the
        ``configuration`` in ``model`` may be a model configuration object. Raises UserErrorException with every
        problem found.
        """
        return cls(source, **overrides)

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """Ask the model, and return its answer as the file says: a text, a dict, a generator of texts, or all of it.

        Without inputs the sample is used. ``timeout``, in seconds, holds for the request. Raises CoreError for
        inputs that do not fit, WrappedOpenAIError when the model refuses; both are UserErrorExceptions.
        """
        call, values, timeout_s = self._prepared(args, inputs)
        with speaking_promptflow():
            result = run_blocking(call.answer(values, timeout_s))
        return iterate_blocking(result) if inspect.isasyncgen(result) else result

    def render(self, *args: Any, **inputs: Any) -> str:
        """The prompt with these inputs, as text; of a chat, the text of its list of messages."""
        _require_keywords(args)
        return str(self._rendered(inputs).content)

    def estimate_token_count(self, *args: Any, **inputs: Any) -> int:
        """The tokens of the prompt with these inputs and, when ``max_tokens`` is set, of the longest answer.

        Raises MissingRequiredPackage without the package ``tiktoken``.
        """
        _require_keywords(args)
        longest = self._flow.parameters.get("max_tokens")
        if longest is not None and (isinstance(longest, bool) or not isinstance(longest, int) or longest <= 1):
            raise UserErrorException(f"'max_tokens' must be a whole number above 1, not {longest!r}.")
        rendered = self._rendered(inputs)
        pictures = {value.source_url: value for value in rendered.values if isinstance(value, Image)}
        known = {url: image for url, image in pictures.items() if url}
        with speaking_promptflow():
            return estimate_tokens(rendered.content, _model_name(self._flow), known) + (longest or 0)

    @property
    def flow(self) -> PromptyFlow:
        """What the file says, checked and with the overrides."""
        return self._flow

    @property
    def name(self) -> str:
        return self._flow.name

    @property
    def path(self) -> Path:
        """The file."""
        return self._flow.file

    @property
    def code(self) -> Path:
        """The file's folder."""
        return self._flow.folder

    def _prepared(
        self, args: tuple[Any, ...], inputs: Mapping[str, Any]
    ) -> tuple[PromptyCall, dict[str, Any], float | None]:
        _require_keywords(args)
        with speaking_promptflow(UserError=MissingRequiredInputError):
            values = complete_inputs(self._flow, inputs)
        return PromptyCall(self._prompt, services()), values, inputs.get("timeout")

    def _rendered(self, inputs: Mapping[str, Any]) -> RenderedPrompt:
        with speaking_promptflow():
            return run_blocking(self._prompt.render(complete_inputs(self._flow, inputs), services().urls))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._flow.file)!r})"


class AsyncPrompty(Prompty):
    """A ``.prompty`` file as an asynchronous function of its inputs, for any event loop."""

    async def __call__(self, *args: Any, **inputs: Any) -> Any:
        """As ``Prompty``'s; a streamed answer is an asynchronous generator."""
        call, values, timeout_s = self._prepared(args, inputs)
        with speaking_promptflow():
            result = await run_in_background(call.answer(values, timeout_s))
        return iterate_in_background(result) if inspect.isasyncgen(result) else result


def _require_keywords(args: tuple[Any, ...]) -> None:
    if args:
        raise UserErrorException("A prompty takes its inputs by name: prompty(question=…).")


def _overrides(
    model: Mapping[str, Any] | None, front_matter: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What is laid over the file, and the configuration that replaces the file's when it comes as an object."""
    if model is None:
        return dict(front_matter), None
    configuration = model.get("configuration")
    if not isinstance(configuration, ModelConfiguration):
        return {**front_matter, "model": dict(model)}, None
    others = {key: value for key, value in model.items() if key != "configuration"}
    return {**front_matter, "model": others}, configuration.as_front_matter()


def _model_name(flow: PromptyFlow) -> str:
    return str(flow.configuration.get("azure_deployment") or flow.configuration.get("model") or "")
