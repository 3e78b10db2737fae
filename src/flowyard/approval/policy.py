"""The block ``approval`` of ``experiment.yaml``: who may say yes to a deployment, how many have to, until when."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from flowyard._util.durations import DURATION_FORM, parse_duration
from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.names import count_people
from flowyard.errors import ExperimentInvalid, Problem
from flowyard.experiments.model import Experiment

__all__ = ["APPROVAL_BLOCK", "ApprovalBlock", "parse_approval_block", "read_approval_policy"]

APPROVAL_BLOCK = "approval"

_ADDRESS = re.compile(r"mailto:[^\s@:/?&]+@[^\s@:/?&]+")
_VARIABLE = re.compile(r"(?:slack|teams|webhook):[A-Za-z_][A-Za-z0-9_]*")


def _duration(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise PydanticCustomError("duration", "a duration has a unit: 45s, 60m, 2h, 1h30m or 1d")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None


def _person(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise PydanticCustomError("person", "an approver is a name or an address: ann, or Ann <ann@example.com>")
    return value.strip()


def _way(value: str) -> str:
    if not _ADDRESS.fullmatch(value) and not _VARIABLE.fullmatch(value):
        raise PydanticCustomError(  # does not repeat it: the address of a webhook is a secret
            "way",
            "write mailto:ADDRESS, or slack:, teams: or webhook: and the name of the variable that has the URL",
        )
    return value


_Duration = Annotated[timedelta, BeforeValidator(_duration), WithJsonSchema(DURATION_FORM)]


class ApprovalBlock(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    timeout: _Duration = timedelta(minutes=60)
    approvals: Annotated[int, Field(ge=1, le=100)] = 1
    approvers: list[Annotated[str, AfterValidator(_person)]] = []
    self_approval: bool = True
    notify: list[Annotated[str, AfterValidator(_way)]] = []
    valid_for: _Duration | None = None


def read_approval_policy(experiment: Experiment) -> ApprovalPolicy:
    """The policy of an experiment, the default one without the block. Raises ExperimentInvalid with every problem."""
    block = experiment.blocks.get(APPROVAL_BLOCK)
    if block is None:
        return ApprovalPolicy()
    return parse_approval_block(block.value, block.file, APPROVAL_BLOCK)


def parse_approval_block(value: Any, file: YamlFile, *keys: str | int) -> ApprovalPolicy:
    """``{timeout: 60m, approvals: 1, …}`` as a policy. Raises ExperimentInvalid with every problem and its line."""
    title = f"{file.path} cannot be used:"
    try:
        block = ApprovalBlock.model_validate({} if value is None else value)
    except ValidationError as error:
        problems = [_problem(each, file, keys) for each in error.errors(include_url=False)]
        raise ExperimentInvalid(title, problems) from None
    people = count_people(block.approvers)
    if block.approvers and people < block.approvals:
        message = f"{block.approvals} approvals are needed, but the approvers are no more than {people}."
        raise ExperimentInvalid(title, [Problem(message, file.where(*keys, "approvers"))])
    return ApprovalPolicy(
        block.timeout,
        block.approvals,
        tuple(block.approvers),
        block.self_approval,
        tuple(block.notify),
        block.valid_for,
    )


def _problem(error: ErrorDetails, file: YamlFile, keys: tuple[str | int, ...]) -> Problem:
    inner = error["loc"]
    place = ".".join(str(key) for key in (APPROVAL_BLOCK, *inner))
    where = file.where(*keys, *inner)
    if error["type"] == "extra_forbidden":
        known = list(ApprovalBlock.model_fields)
        hint = did_you_mean(str(inner[-1]), known) or f"Known keys: {known_names(known)}."
        return Problem(f"Unknown key {place!r}.", where, hint)
    return Problem(f"{place!r}: {error['msg'][0].lower()}{error['msg'][1:]}.", where)
