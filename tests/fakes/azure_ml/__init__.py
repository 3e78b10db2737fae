"""A stand-in for Azure ML: the documented REST API over TLS, strict about bodies, with faults on demand."""

from stand_in import Fault

from azure_ml.server import FakeAzure, Seen, running_azure

__all__ = ["FakeAzure", "Fault", "Seen", "running_azure"]
