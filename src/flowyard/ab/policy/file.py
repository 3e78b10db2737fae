"""``ab.yaml``, strictly: every problem at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from flowyard._util.strict_yaml import STRICT, Duration, LeastDuration, parse_strictly
from flowyard._util.suggest import missing_file_hint
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.ab.policy.model import AbPolicy, Guardrail, GuardrailMetric, PrimaryMetric, RampStep, SplitPlace
from flowyard.errors import NotFound, Problem

__all__ = ["AB_FILE", "AbFile", "deployment_problems", "find_policy", "parse_policy"]

AB_FILE = "ab.yaml"
_NAME = re.compile(r"[a-zA-Z0-9][-_a-zA-Z0-9]{0,63}")
_FIELD = re.compile(r"[a-z_]+(\.[^.\s]+)+")
_KEY = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_URL = re.compile(r"https?://[^\s/@?#]+/?")


def _matching(pattern: re.Pattern[str], says: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError("form", "{says}", {"says": says})
        return value

    return AfterValidator(check)


def _step(value: Any) -> Any:
    return {"share": value} if isinstance(value, int) and not isinstance(value, bool) else value


_Name = Annotated[str, _matching(_NAME, "a name has letters, digits, '-' and '_', at most 64")]
_Field = Annotated[str, _matching(_FIELD, "write the kind of record and its keys: feedback.rating")]
_Level = Annotated[float, Field(gt=0, lt=0.5)]
_Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = STRICT


class _Arms(_Strict):
    control: Annotated[str, Field(min_length=1, max_length=200)]
    treatment: Annotated[str, Field(min_length=1, max_length=200)]


class _Judge(_Strict):
    evaluator: Annotated[str, Field(min_length=1)]
    field: Annotated[str, Field(min_length=1)]


class _Primary(_Strict):
    metric: Literal["no_error", "feedback", "judge", "field"]
    field: _Field | None = None
    judge: _Judge | None = None
    success: list[bool | int | float | str] = []
    at_least: _Finite | None = None
    direction: Literal["higher", "lower"] = "higher"
    expected: _Finite | None = None
    smallest: _Above0 | None = None
    spread: _Above0 | None = None
    bounds: Annotated[list[_Finite], Field(min_length=2, max_length=2)] | None = None


class _Guardrail(_Strict):
    metric: GuardrailMetric
    most: _Above0 | None = None
    most_times_control: Annotated[float, Field(ge=1, le=1000)] | None = None
    field: _Field | None = None
    judge: _Judge | None = None
    at_least: _Finite | None = None


class _Step(_Strict):
    share: Annotated[int, Field(ge=1, le=100)]
    min_duration: LeastDuration | None = None
    min_sample: Annotated[int, Field(ge=0)] | None = None


class _Split(_Strict):
    gateway: Annotated[str, _matching(_URL, "write the control address: http://127.0.0.1:8901")] | None = None
    key: Annotated[str, _matching(_KEY, "a key is no part of a file: ${GATEWAY_KEY}")] | None = None
    file: Annotated[str, Field(min_length=1)] | None = None
    deployment: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    target: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    margin: LeastDuration = timedelta(minutes=1)


class AbFile(_Strict):
    name: _Name
    experiment: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    arms: _Arms
    unit: Literal["user", "session", "request"] = "user"
    primary: _Primary
    guardrails: list[_Guardrail] = []
    alpha: _Level = 0.05
    guardrail_alpha: _Level = 0.01
    srm_alpha: _Level = 0.001
    min_duration: LeastDuration = timedelta(days=1)
    max_duration: Duration = timedelta(days=28)
    min_sample: Annotated[int, Field(ge=1)] = 100
    decide: Literal["auto", "approval"] = "approval"
    ramp: Annotated[list[Annotated[_Step, BeforeValidator(_step)]], Field(min_length=1, max_length=50)] = [
        _Step(share=share) for share in (1, 5, 25, 50)
    ]
    covariate: _Field | None = None
    interval: Duration = timedelta(minutes=5)
    split: _Split | None = None


def find_policy(path: Path) -> AbPolicy:
    """The policy of a use case: the folder with ``ab.yaml``, or that file. Raises NotFound, and UserError as below."""
    if not path.exists():
        raise NotFound(f"There is no {path}.", hint=missing_file_hint(path))
    file = path / AB_FILE if path.is_dir() else path
    if not file.is_file():
        hint = "flowyard ab init USECASE --control ENV --treatment ENV writes one: docs/ab.md"
        raise NotFound(f"There is no {file}.", hint=hint)
    return parse_policy(read_yaml(file))


def parse_policy(file: YamlFile) -> AbPolicy:
    """The policy in a file. Raises UserError with every problem."""
    body = parse_strictly(AbFile, file, lambda body: _more(body, file))
    return _made(body, file.path.parent)


def _made(body: AbFile, folder: Path) -> AbPolicy:
    given = body.model_dump()
    arms, primary, split = given.pop("arms"), given.pop("primary"), given.pop("split")
    primary["success"] = tuple(primary["success"])
    primary["bounds"] = tuple(primary["bounds"]) if primary["bounds"] else None
    for each in (primary, *given["guardrails"]):
        each["field"] = _field(each)
    if split and split["file"]:
        split["file"] = str(folder / split["file"])
    steps = (RampStep(**{key: value for key, value in step.items() if value is not None}) for step in given.pop("ramp"))
    return AbPolicy(
        **{
            **given,
            **arms,
            "experiment": given["experiment"] or body.name,
            "primary": PrimaryMetric(**primary),
            "guardrails": tuple(Guardrail(**each) for each in given["guardrails"]),
            "ramp": tuple(step for step in steps if step.share < 100),
            "split": SplitPlace(**split) if split else None,
        }
    )


def _field(given: dict[str, Any]) -> str | None:
    """The field of a metric; that of a judge by its evaluator."""
    judge = given.pop("judge")
    field: str | None = f"judgement.{judge['evaluator']}.{judge['field']}" if judge else given["field"]
    return field


def _more(body: AbFile, file: YamlFile) -> Iterator[Problem]:
    """What is wrong although each value by itself is right."""
    if body.arms.control == body.arms.treatment:
        yield Problem("Control and treatment are the same.", file.where("arms", "treatment"))
    if body.max_duration <= body.min_duration:
        yield Problem("max_duration has to be longer than min_duration.", file.where("max_duration"))
    yield from _primary_problems(body.primary, file)
    yield from _bounds_problems(body, file, body.primary.bounds) if body.primary.bounds else ()
    yield from _guardrail_problems(body.guardrails, file)
    shares = [step.share for step in body.ramp]
    for place, (before, share) in enumerate(pairwise(shares), 1):
        if share <= before:
            yield Problem(f"{share} % does not come after {before} %: a ramp only rises.", file.where("ramp", place))
    if shares == [100]:
        hint = "Begin lower; promotion sets 100 %."
        yield Problem("With all requests there is nothing to compare.", file.where("ramp", 0), hint)
    if body.split:
        yield from _split_problems(body, body.split, file)


def _split_problems(body: AbFile, split: _Split, file: YamlFile) -> Iterator[Problem]:
    if sum(place is not None for place in (split.gateway, split.file, split.deployment)) != 1:
        yield Problem("Give one of the split's 'gateway', 'file' and 'deployment'.", file.where("split"))
    if split.gateway and not split.key:
        yield Problem("A gateway wants a key.", file.where("split", "gateway"), "key: ${GATEWAY_KEY}")
    for key in {"target", "margin"} & split.model_fields_set if not split.deployment else ():
        yield Problem(f"{key} is for a split by a deployment's platform.", file.where("split", key))
    if split.deployment:
        for why in deployment_problems(body.unit, (body.arms.control, body.arms.treatment)):
            yield Problem(why, file.where("split", "deployment"), "unit: request, and arms: {control: '3', …}")


def deployment_problems(unit: str, arms: Sequence[str]) -> Iterator[str]:
    """Why a test cannot be split by a deployment's platform, which chooses anew for each request."""
    if unit != "request":
        yield f"A platform chooses for each request, so that the same {unit} is in both arms: only requests can count."
    if not all(arm.isdecimal() for arm in arms):
        yield "The arms are numbers of versions that are deployed."


def _primary_problems(primary: _Primary, file: YamlFile) -> Iterator[Problem]:
    where = file.where("primary", "metric")
    if primary.metric == "no_error":
        if primary.field or primary.judge or primary.success or primary.at_least is not None:
            yield Problem("no_error takes no field, judge, success or at_least.", where)
    elif primary.judge and (primary.field or primary.metric == "feedback"):
        yield Problem("'judge' stands in the place of 'field', for judge and field.", file.where("primary", "judge"))
    elif primary.metric == "judge" and primary.field is None and primary.judge is None:
        yield Problem("judge needs a judge.", where, "judge: {evaluator: quality, field: score}")
    elif primary.field is None and primary.judge is None and not _is_plain_feedback(primary):
        yield Problem(f"{primary.metric} needs a field.", where, "field: feedback.rating")
    if primary.metric == "judge" and primary.at_least is None:
        yield Problem("judge needs the score that is enough.", where, "at_least: 4")
    if primary.metric == "feedback" and primary.field and (not primary.success) == (primary.at_least is None):
        yield Problem("feedback needs either success or at_least.", where, "success: [up]")
    if primary.metric == "field" and (primary.success or primary.at_least is not None):
        yield Problem("A field is a number as it is: no success, no at_least.", where)
    if primary.metric != "field" and primary.direction == "lower":
        yield Problem("More successes are better; direction is for a field.", file.where("primary", "direction"))
    if primary.metric != "field" and primary.expected is not None and not 0 < primary.expected < 1:
        yield Problem("expected is a share between 0 and 1.", file.where("primary", "expected"))


def _is_plain_feedback(primary: _Primary) -> bool:  # as monitoring reads it
    return primary.metric == "feedback" and not primary.success and primary.at_least is None


def _bounds_problems(body: AbFile, file: YamlFile, bounds: list[float]) -> Iterator[Problem]:
    expected, where = body.primary.expected, file.where("primary", "bounds")
    if body.primary.metric != "field":
        yield Problem("Yes and no have no bounds; they are for a field.", where)
    if bounds[0] >= bounds[1]:
        yield Problem("The first bound is below the second.", where, "bounds: [1, 5]")
    if body.covariate is not None:
        yield Problem("A covariate adjusts means, which need no bounds.", where, "Leave out one of them.")
    if expected is not None and not bounds[0] < expected < bounds[1]:
        yield Problem("expected lies between the bounds.", file.where("primary", "expected"))


def _guardrail_problems(guardrails: list[_Guardrail], file: YamlFile) -> Iterator[Problem]:
    for place, each in enumerate(guardrails):
        where = file.where("guardrails", place)
        if each.most is None and each.most_times_control is None:
            yield Problem(f"{each.metric} has no limit.", where, "most: 0.05, or most_times_control: 1.2")
        if (
            each.metric in ("error_rate", "safety_fail_rate", "judge_fail_rate")
            and each.most is not None
            and each.most >= 1
        ):
            yield Problem("A rate's limit is below 1.", file.where("guardrails", place, "most"))
        yield from _judge_problems(each, where)
        if any(each.metric == other.metric for other in guardrails[:place]):
            yield Problem(f"{each.metric} is there twice.", where, "One entry can have both limits.")


def _judge_problems(each: _Guardrail, where: str) -> Iterator[Problem]:
    """Who judges, where somebody does, and what is enough."""
    if each.metric == "judge_fail_rate":
        if each.judge is None or each.at_least is None or each.field:
            hint = "judge: {evaluator: quality, field: score}, at_least: 3"
            yield Problem("judge_fail_rate needs 'judge' and 'at_least'.", where, hint)
        return
    if each.at_least is not None:
        yield Problem("Only judge_fail_rate takes 'at_least'.", where)
    if (each.metric == "safety_fail_rate") != ((each.field is None) != (each.judge is None)):
        hint = "field: exchange.outputs.is_safe, or judge: {evaluator: safety, field: is_safe}"
        yield Problem("safety_fail_rate, and it alone, needs a field or a judge.", where, hint)
