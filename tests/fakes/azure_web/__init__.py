"""A stand-in for App Service: its documented management API over TLS, and web apps that really answer."""

from azure_web.server import GROUP, SUBSCRIPTION, FakeWeb, running_web

__all__ = ["GROUP", "SUBSCRIPTION", "FakeWeb", "running_web"]
