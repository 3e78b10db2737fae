"""The commands that set an account up for serving flows: printed for a person to read and run, never run here."""

from flowyard.azure.setup.order import AzureDevops, EnvironmentOrder, GitHub, SetupOrder, parse_devops, parse_github
from flowyard.azure.setup.steps import setup_steps
from flowyard.azure.setup.words import Step, script

__all__ = [
    "AzureDevops",
    "EnvironmentOrder",
    "GitHub",
    "SetupOrder",
    "Step",
    "parse_devops",
    "parse_github",
    "script",
    "setup_steps",
]
