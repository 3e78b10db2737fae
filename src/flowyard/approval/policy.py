"""The block ``approval`` of ``experiment.yaml``: who may say yes to a deployment, how many have to, until when."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError

from flowyard._util.strict_yaml import STRICT, Duration, form_problems
from flowyard._util.yamlfile import YamlFile
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.names import count_people
from flowyard.errors import ExperimentInvalid, Problem
from flowyard.experiments.model import Experiment

__all__ = ["APPROVAL_BLOCK", "ApprovalBlock", "parse_approval_block", "read_approval_policy"]

APPROVAL_BLOCK = "approval"

_ADDRESS = re.compile(r"mailto:[^\s@:/?&]+@[^\s@:/?&]+")
_VARIABLE = re.compile(r"(?:slack|teams|webhook):[A-Za-z_][A-Za-z0-9_]*")


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


class ApprovalBlock(BaseModel):
    model_config = STRICT

    timeout: Duration = timedelta(minutes=60)
    approvals: Annotated[int, Field(ge=1, le=100)] = 1
    approvers: list[Annotated[str, AfterValidator(_person)]] = []
    self_approval: bool = True
    notify: list[Annotated[str, AfterValidator(_way)]] = []
    valid_for: Duration | None = None


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
        raise ExperimentInvalid(title, form_problems(error, ApprovalBlock, file, *keys)) from None
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
