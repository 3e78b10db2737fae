"""Flows and runs driven from Python, in the shape of prompt flow's client."""

from flowyard.client.context import FlowContext
from flowyard.client.flow import AsyncFlow, Flow, load_flow
from flowyard.client.pf_client import PFClient
from flowyard.client.prompty import AsyncPrompty, Prompty
from flowyard.client.run_entity import Run, load_run

__all__ = ["AsyncFlow", "AsyncPrompty", "Flow", "FlowContext", "PFClient", "Prompty", "Run", "load_flow", "load_run"]
