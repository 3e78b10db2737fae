"""The rules file of a simulated model: its format, and loading it with every problem at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import Problem, UserError
from flowyard.simulation.answers import AnswerTable, load_table
from flowyard.simulation.templates import Expression, Text

__all__ = ["Faults", "Latency", "Rule", "Rules", "RulesFile", "Tokens", "ToolCall", "When", "load_rules"]


def _compile_regex(value: Any) -> re.Pattern[str]:
    if not isinstance(value, str):
        raise ValueError("must be a regular expression (text)")
    try:
        return re.compile(value, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise ValueError(f"not a valid regular expression: {error}") from None


def _compile_text(value: Any) -> Text:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {type(value).__name__}; quote it")
    return Text(value)


def _compile_texts(value: Any) -> list[Text]:
    texts = [_compile_text(item) for item in (value if isinstance(value, list) else [value])]
    if not texts:
        raise ValueError("must not be an empty list")
    return texts


def _compile_rate(value: Any) -> float | Expression:
    if isinstance(value, str):
        return Expression(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1, or an expression in quotes")
    return float(value)


def _compile_values(value: Any) -> Any:
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, dict):
        return {str(key): _compile_values(item) for key, item in value.items()}
    return [_compile_values(item) for item in value] if isinstance(value, list) else value


_TEXT_FORM = {"type": "string"}
_TEXTS_FORM = {"anyOf": [_TEXT_FORM, {"type": "array", "items": _TEXT_FORM, "minItems": 1}]}
_RATE_FORM = {"anyOf": [_TEXT_FORM, {"type": "number", "minimum": 0, "maximum": 1}]}
"""What JSON schemas say of them; expressions are Python's, which other readers of schemas do not know."""

_Regex = Annotated[re.Pattern[str] | None, BeforeValidator(_compile_regex), WithJsonSchema(_TEXT_FORM)]
_Texts = Annotated[Any, BeforeValidator(_compile_texts), WithJsonSchema(_TEXTS_FORM)]
_Rate = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Latency(_Strict):
    """How long answers take: log-normal with this median and 95th percentile, in milliseconds."""

    median_ms: float = Field(default=0.0, ge=0)
    p95_ms: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Latency:
        if self.p95_ms is not None and self.p95_ms < self.median_ms:
            raise ValueError("p95_ms must not be below median_ms")
        return self


class Faults(_Strict):
    """How often an answer fails instead: shares of all answers, together at most 1."""

    rate_429: _Rate = 0.0
    retry_after_s: float = Field(default=1.0, ge=0)
    rate_500: _Rate = 0.0
    rate_cut_off: _Rate = 0.0

    @model_validator(mode="after")
    def _at_most_one(self) -> Faults:
        if self.rate_429 + self.rate_500 + self.rate_cut_off > 1 + 1e-9:
            raise ValueError("rate_429, rate_500 and rate_cut_off together exceed 1")
        return self


class Tokens(_Strict):
    """The token counts to report; what is not given is counted as a quarter of the characters."""

    prompt: int | None = Field(default=None, ge=0)
    completion: int | None = Field(default=None, ge=0)


class When(_Strict):
    """Regular expressions that must all be found; texts of one role are joined with line ends."""

    system: _Regex = None
    user: _Regex = None
    prompt: _Regex = None
    model: _Regex = None

    def patterns(self) -> Iterator[tuple[str, re.Pattern[str]]]:
        """The given expressions with the name of what they search."""
        given = (("system", self.system), ("user", self.user), ("prompt", self.prompt), ("model", self.model))
        return ((name, pattern) for name, pattern in given if pattern is not None)


class ToolCall(_Strict):
    """A call the model asks for; texts inside ``arguments`` are templates."""

    name: str = Field(min_length=1)
    arguments: Annotated[dict[str, Any], BeforeValidator(_compile_values)] = Field(default_factory=dict)


class Rule(_Strict):
    """One way to answer: when it applies, and either ``reply`` or ``tool_calls``."""

    name: str = ""
    when: When = When()
    known: bool = False
    reply: _Texts = None
    wrong: _Texts = None
    error_rate: Annotated[Any, BeforeValidator(_compile_rate), WithJsonSchema(_RATE_FORM)] = None
    tool_calls: list[ToolCall] = Field(default_factory=list)
    latency: Latency | None = None
    faults: Faults | None = None
    tokens: Tokens = Tokens()

    @model_validator(mode="after")
    def _answers_once(self) -> Rule:
        if (self.reply is None) == (not self.tool_calls):
            raise ValueError("needs either reply or tool_calls")
        if (self.wrong is None) != (self.error_rate is None):
            raise ValueError("wrong and error_rate need each other")
        return self


class _Answers(_Strict):
    file: str
    find: str


class RulesFile(_Strict):
    seed: int = 0
    latency: Latency = Latency()
    faults: Faults = Faults()
    answers: list[_Answers] = Field(default_factory=list)
    rules: list[Rule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Rules:
    """A loaded rules file; every rule has a name that no other rule has."""

    path: Path
    seed: int
    latency: Latency
    faults: Faults
    tables: tuple[AnswerTable, ...]
    rules: tuple[Rule, ...]


def load_rules(path: Path | str, seed: int | None = None) -> Rules:
    """Read a rules file and the tables it names; ``seed`` replaces the file's own.

    Raises UserError that lists every problem with its file and line.
    """
    path = Path(path)
    file = read_yaml(path)
    try:
        parsed = RulesFile.model_validate(file.data if file.data is not None else {})
    except ValidationError as error:
        raise _invalid(path, [_problem(file, dict(item)) for item in error.errors()]) from None
    problems = list(_check_rules(file, parsed))
    tables = tuple(_load_tables(file, parsed, problems))
    if problems:
        raise _invalid(path, problems)
    rules = tuple(_named(rule, number) for number, rule in enumerate(parsed.rules, 1))
    return Rules(path, parsed.seed if seed is None else seed, parsed.latency, parsed.faults, tables, rules)


def _named(rule: Rule, number: int) -> Rule:
    return rule if rule.name else rule.model_copy(update={"name": f"rule {number}"})


def _check_rules(file: YamlFile, parsed: RulesFile) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, rule in enumerate(parsed.rules):
        name = _named(rule, index + 1).name
        if name in seen:
            yield Problem(f"a second rule is named {name!r}", file.where("rules", index, "name"))
        if rule.known and not parsed.answers:
            yield Problem("known needs a table in answers", file.where("rules", index, "known"))
        seen[name] = index


def _load_tables(file: YamlFile, parsed: RulesFile, problems: list[Problem]) -> Iterator[AnswerTable]:
    for index, answers in enumerate(parsed.answers):
        try:
            yield load_table(file.path.parent / answers.file, answers.find)
        except ValueError as error:
            problems.append(Problem(str(error), file.where("answers", index)))


def _invalid(path: Path, problems: list[Problem]) -> UserError:
    return UserError("\n".join([f"{path} is not a valid rules file:", *(f"  {problem}" for problem in problems)]))


_MODELS: dict[str, type[BaseModel]] = {
    "": RulesFile,
    "rules": Rule,
    "answers": _Answers,
    "when": When,
    "latency": Latency,
    "faults": Faults,
    "tokens": Tokens,
    "tool_calls": ToolCall,
}


def _problem(file: YamlFile, error: Mapping[str, Any]) -> Problem:
    place = tuple(error["loc"])
    label = ".".join(str(part) for part in place) or "the file"
    where = file.where(*place)
    if error["type"] == "extra_forbidden":
        owner = next((part for part in reversed(place[:-1]) if isinstance(part, str)), "")
        known = list(_MODELS[owner].model_fields)
        hint = did_you_mean(str(place[-1]), known) or f"Known: {known_names(known)}."
        return Problem(f"{label}: unknown key {str(place[-1])!r}", where, hint)
    message = "must be a mapping" if error["type"] == "model_type" else str(error["msg"]).removeprefix("Value error, ")
    return Problem(f"{label}: {message}", where)
