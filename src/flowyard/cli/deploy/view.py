"""Plans, rollouts and endpoints, for machines and for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from flowyard.cli.shared.tables import print_table, printable
from flowyard.deploy.model import DeployPlan, EndpointState
from flowyard.deploy.rollout.rollout import RolloutRecord

__all__ = ["plan_view", "print_plan", "print_state", "rollout_view", "state_view"]


def plan_view(plan: DeployPlan) -> dict[str, Any]:
    """What machines get of a plan: the names in it are a contract."""
    return {
        "env": plan.environment,
        "target": plan.target,
        "endpoint": plan.endpoint,
        "version": plan.version_label,
        "changes": [asdict(change) for change in plan.changes],
        "warnings": list(plan.warnings),
    }


def print_plan(plan: DeployPlan) -> None:
    """A plan as a diff."""
    click.echo(f"{plan.version_label} to {plan.endpoint}, {plan.environment} ({plan.target})")
    for change in plan.changes:
        if change.before is not None:
            click.secho(f"- {change.what}: {printable(change.before)}", fg="red")
        if change.after is not None:
            click.secho(f"+ {change.what}: {printable(change.after)}", fg="green")
    if not plan.changes:
        click.echo("  Nothing would change.")


def state_view(state: EndpointState) -> dict[str, Any]:
    """What machines get of an endpoint: the names in it are a contract."""
    return {
        "endpoint": state.endpoint,
        "address": state.address,
        "traffic": state.shares,
        "deployments": [
            {
                "name": each.name,
                "version": each.version_label,
                "digest": each.digest,
                "traffic": each.traffic,
                "state": each.state,
                "address": each.address,
                "why": each.why,
            }
            for each in state.deployments
        ],
    }


def print_state(state: EndpointState) -> None:
    """An endpoint with its deployments."""
    silent = "does not answer" if state.deployments else "nothing is deployed"
    click.echo(f"{state.endpoint}: {state.address or silent}")
    if state.deployments:
        rows = [
            (each.name, each.version_label, f"{each.traffic} %", each.state, each.address or "")
            for each in state.deployments
        ]
        print_table(["deployment", "version", "traffic", "state", "address"], rows, whole=("traffic", "state"))
        for each in state.deployments:
            if each.why:
                click.echo(f"{each.name}: {printable(each.why)}")


def rollout_view(record: RolloutRecord, state: EndpointState) -> dict[str, Any]:
    """What machines get of a rollout: the names in it are a contract."""
    return {
        "name": record.name,
        "key": record.key,
        "env": record.env,
        "target": record.target,
        "by": record.by,
        "created_at": record.created_at,
        "state": record.state,
        "exit_code": record.exit_code,
        "steps": [asdict(step) for step in record.steps],
        "endpoint": state_view(state),
        "path": str(record.path),
    }
