"""One address before deployments of a flow: who gets which arm, mirrors, breakers, epochs, the exposure log."""

from flowyard.gateway.client import ControlClient
from flowyard.gateway.config_file import load_gateway_settings
from flowyard.gateway.gateway import Gateway
from flowyard.gateway.settings import GatewaySettings

__all__ = ["ControlClient", "Gateway", "GatewaySettings", "load_gateway_settings"]
