"""A judge: a language model that gives a grade from 1 to 5.

What is graded is data that anyone may have written. Each value goes into the prompt as JSON on one line, so it can
neither start a message nor end the place it stands in, and names no picture; the prompts say what it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from flowyard._util.aio import run_blocking
from flowyard._util.files import dump_json
from flowyard._util.suggest import known_names
from flowyard.engine.prompty_call import PromptyCall, PromptyPrompt
from flowyard.errors import UserError
from flowyard.flows.prompty import load_prompty
from flowyard.llm.model_configuration import (
    AzureOpenAIModelConfiguration,
    ModelConfiguration,
    OpenAIModelConfiguration,
)
from flowyard.llm.services import Services

__all__ = ["Judge", "model_configuration", "parse_grade", "quoted"]

_PROMPTS = Path(__file__).parent / "judges"
_TIMEOUT_S = 600.0
_NUMBER = re.compile(r"\d+")
_OTHER_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class Judge:
    """Asks a model for one grade. Subclasses name the prompt and the metric, and take what is graded by name.

    ``model_config`` says which model, as an object or as a mapping of its fields. ``services`` gives what the calls go
    through, each time anew. Raises UserError when the model configuration cannot be used.
    """

    PROMPT: ClassVar[str]
    METRIC: ClassVar[str]

    def __init__(self, model_config: ModelConfiguration | Mapping[str, Any], services: Callable[[], Services]) -> None:
        configuration = model_configuration(model_config)
        self._services = services
        self._prompt = PromptyPrompt(load_prompty(_PROMPTS / self.PROMPT, None, configuration.as_front_matter()))

    async def grade(self, **material: Any) -> dict[str, float]:
        """The metric: a grade from 1 to 5, or NaN when the model answered something else.

        ``material`` are texts, lists or dicts. Raises ValueError when a text is empty, ConnectionMissing or
        ProviderError when the model cannot be asked.
        """
        texts = {name: value for name, value in material.items() if not isinstance(value, list | dict)}
        empty = [name for name, text in texts.items() if not str(text or "").strip()]
        if empty:
            raise ValueError(f"There is nothing to grade: {known_names(empty)} must not be empty.")
        call = PromptyCall(self._prompt, self._services())
        answer = await call.answer({name: quoted(value) for name, value in material.items()}, _TIMEOUT_S)
        return {self.METRIC: parse_grade(answer)}

    def _graded(self, **material: Any) -> dict[str, float]:
        return run_blocking(self.grade(**material))


def parse_grade(answer: Any) -> float:
    """The first number of an answer when it is one of the scale, else NaN."""
    match = _NUMBER.search(answer) if isinstance(answer, str) else None
    return float(match[0]) if match and match[0] in ("1", "2", "3", "4", "5") else math.nan


def quoted(value: Any) -> str:
    """A value as JSON that has no line break of any kind."""
    return dump_json(value).translate(_OTHER_LINE_ENDS)


def model_configuration(given: ModelConfiguration | Mapping[str, Any]) -> ModelConfiguration:
    """A model configuration from an object or from its fields, with or without ``type``. Raises UserError."""
    if isinstance(given, ModelConfiguration):
        return given
    if not isinstance(given, Mapping):
        raise UserError(
            f"model_config is a {type(given).__name__}, not a model configuration.",
            hint="Give an AzureOpenAIModelConfiguration, an OpenAIModelConfiguration, or a dict of its fields.",
        )
    fields = {key: value for key, value in given.items() if key != "type"}
    is_azure = "azure_deployment" in fields or "azure" in str(given.get("type", "")).lower()
    kind = AzureOpenAIModelConfiguration if is_azure else OpenAIModelConfiguration
    return kind.from_mapping(fields)
