"""Connections to language models, and the way from a node's inputs to a model's answer."""

from flowyard.llm.call_rules import CallRules
from flowyard.llm.connection import Connection, SimulatedConnection
from flowyard.llm.connection_parsing import CONNECTION_TYPES, parse_connection
from flowyard.llm.connection_store import ConnectionStore
from flowyard.llm.connections import Connections
from flowyard.llm.key_vault_source import KeyVaultSource
from flowyard.llm.messages import RoleEscapes, parse_chat
from flowyard.llm.parameters import build_request, read_piece, read_result, read_usage, split_inputs, wants_stream
from flowyard.llm.providers import ProviderOpener, open_provider
from flowyard.llm.remote_source import ENDPOINT_VARIABLE, RemoteSource
from flowyard.llm.sources import DeclaredSource, EnvFileSource, EnvironmentSource, SimulateEverything, YamlSource

__all__ = [
    "CONNECTION_TYPES",
    "ENDPOINT_VARIABLE",
    "CallRules",
    "Connection",
    "ConnectionStore",
    "Connections",
    "DeclaredSource",
    "EnvFileSource",
    "EnvironmentSource",
    "KeyVaultSource",
    "ProviderOpener",
    "RemoteSource",
    "RoleEscapes",
    "SimulateEverything",
    "SimulatedConnection",
    "YamlSource",
    "build_request",
    "open_provider",
    "parse_chat",
    "parse_connection",
    "read_piece",
    "read_result",
    "read_usage",
    "split_inputs",
    "wants_stream",
]
