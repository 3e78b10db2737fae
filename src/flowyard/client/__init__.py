"""Flows and runs driven from Python, in the shape of prompt flow's client."""

from flowyard.client.context import FlowContext
from flowyard.client.flow import AsyncFlow, Flow, load_flow
from flowyard.client.pf_client import PFClient
from flowyard.client.run_entity import Run, load_run

__all__ = ["AsyncFlow", "Flow", "FlowContext", "PFClient", "Run", "load_flow", "load_run"]
