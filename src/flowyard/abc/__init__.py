"""What can be swapped. Each part has few methods and states its whole contract here."""

from flowyard.abc.deploy import ImageBuilder, Target, TrafficPlatform
from flowyard.abc.models import ConnectionSource, Provider
from flowyard.abc.notify import Notifier
from flowyard.abc.production import RecordSink, Splitter
from flowyard.abc.registry import RegistryStore
from flowyard.abc.reports import ReportFormat
from flowyard.abc.store import Hold, Store

__all__ = [
    "ConnectionSource",
    "Hold",
    "ImageBuilder",
    "Notifier",
    "Provider",
    "RecordSink",
    "RegistryStore",
    "ReportFormat",
    "Splitter",
    "Store",
    "Target",
    "TrafficPlatform",
]
