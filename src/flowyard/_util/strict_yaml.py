"""YAML files in a form that pydantic knows: what it does not know is refused; every problem at once, with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import reduce
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from flowyard._util.durations import DURATION_FORM, parse_duration
from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import Problem

__all__ = ["STRICT", "Duration", "LeastDuration", "form_problems", "parse_strictly"]

F = TypeVar("F", bound=BaseModel)


STRICT = ConfigDict(extra="forbid", strict=True)
"""Of a mapping with the named keys and no others, whose values are not converted."""


def _duration(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise PydanticCustomError("duration", "a duration has a unit: 45s, 60m, 2h, 1h30m or 1d")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None


def _no_or_duration(value: Any) -> timedelta:
    return timedelta(0) if value == "0s" else _duration(value)


Duration = Annotated[timedelta, BeforeValidator(_duration), WithJsonSchema(DURATION_FORM)]
"""``1h30m``, of a second at least."""
LeastDuration = Annotated[timedelta, BeforeValidator(_no_or_duration), WithJsonSchema(DURATION_FORM)]
"""The same, or ``0s``."""


def parse_strictly(
    form: type[F],
    file: YamlFile,
    more: Callable[[F], Iterable[Problem]],
    besides: Iterable[Problem] = (),
    says: Mapping[str, str] | None = None,
) -> F:
    """What a file says. Raises UserError with every problem: of the form, ``besides``, and what ``more`` then finds.

    ``says`` are sentences for kinds of pydantic's errors; ``{input!a}`` in them is what was given.
    """
    problems, body = file.repeated_problems(), None
    try:
        body = form.model_validate({} if file.data is None else file.data)
    except ValidationError as error:
        problems += form_problems(error, form, file, says=says)
    problems += besides
    if body is not None:
        problems += more(body)
    if problems or body is None:
        raise file.unusable(problems)
    return body


def form_problems(
    error: ValidationError,
    form: type[BaseModel],
    file: YamlFile,
    *above: str | int,
    says: Mapping[str, str] | None = None,
) -> list[Problem]:
    """What pydantic found wrong in the value that stands under the keys ``above`` of a file."""
    return [_problem(each, form, file, above, says or {}) for each in error.errors(include_url=False)]


def _problem(
    error: ErrorDetails, form: type[BaseModel], file: YamlFile, above: tuple[str | int, ...], says: Mapping[str, str]
) -> Problem:
    inner = _keys_in(error)
    place = ".".join(map(str, (*above, *inner)))
    where = file.where(*above, *inner)
    if error["type"] == "extra_forbidden":
        known = _known_keys(form, inner[:-1])
        hint = did_you_mean(str(inner[-1]), known) or f"Known keys: {known_names(known, most=20)}."
        return Problem(f"Unknown key {place!r}.", where, hint)
    said = says[error["type"]].format(input=error["input"]) if error["type"] in says else error["msg"].removesuffix(".")
    end = "" if said.endswith("?") else "."
    return Problem(f"{place + ': ' if place else ''}{said[0].lower()}{said[1:]}{end}", where)


def _keys_in(error: ErrorDetails) -> tuple[str | int, ...]:
    """The keys that lead to a problem. Pydantic's own words among them have brackets; so may a key that is unknown."""
    *above, last = error["loc"] or ("",)
    named = [part for part in above if not (isinstance(part, str) and "[" in part)]
    is_own = isinstance(last, str) and (not last or "[" in last) and error["type"] != "extra_forbidden"
    return (*named, *(() if is_own else (last,)))


def _known_keys(form: type[BaseModel], keys: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand in the mapping which these keys lead to."""
    start: list[Any] = [form]
    found = reduce(lambda forms, key: [inner for each in forms for inner in _inside(each, key)], keys, start)
    mappings = [each for form in found for each in _told_apart(form) if _is_form(each)]
    return [field.alias or name for each in mappings for name, field in each.model_fields.items()]


def _inside(form: Any, key: str | int) -> Iterator[Any]:
    """The forms of what stands under a key."""
    for each in _told_apart(form):
        if _is_form(each):
            yield from (field.annotation for name, field in each.model_fields.items() if key == (field.alias or name))
        else:
            yield from get_args(each)[-1:]  # of a list or a mapping


def _told_apart(form: Any) -> Iterator[Any]:
    """The forms that one annotation allows."""
    origin, inner = get_origin(form), get_args(form)
    if origin is Annotated:
        yield from _told_apart(inner[0])
    elif origin in (Union, UnionType):
        for each in inner:
            yield from _told_apart(each)
    else:
        yield form


def _is_form(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)
