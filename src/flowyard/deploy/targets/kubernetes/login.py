"""Who asks the cluster, and over what: the kubeconfig, or the pod that this runs in, read by the official client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard._util.printable import printable_text
from flowyard.errors import ExtraMissing, NotFound, OutsideError

__all__ = ["ClusterLogin"]

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ClusterLogin:
    """Where a cluster's API is, and how to log in there. The context of the kubeconfig, else the pod's own account.

    Made when it is first needed; raises NotFound for a context that is not there, OutsideError for a kubeconfig that
    cannot be used.
    """

    def __init__(self, environ: Mapping[str, str], context: str | None) -> None:
        try:
            from kubernetes import client, config  # noqa: PLC0415 - heavy
        except ImportError:
            message = "The target kubernetes takes the official client of Kubernetes."
            raise ExtraMissing(message, hint="pip install 'flowyard[kubernetes]'") from None
        self._configuration = client.Configuration()
        self._configuration.retries = False
        place = environ.get("KUBECONFIG") or str(Path(environ.get("HOME") or Path.home()) / ".kube" / "config")
        try:
            if "KUBERNETES_SERVICE_HOST" in environ and context is None and not environ.get("KUBECONFIG"):
                config.load_incluster_config(self._configuration)
                self.namespace = (_IN_CLUSTER / "namespace").read_text("utf-8").strip()
            else:
                self.namespace = _namespace(config, place, context)
                config.load_kube_config(place, context, self._configuration, persist_config=False)
            self.server = str(self._configuration.host).rstrip("/")
            self._client = client.ApiClient(self._configuration)
        except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise OutsideError(
                f"The cluster's login cannot be used: {printable_text(str(error))[:300]}",
                hint="Try: kubectl config view --minify, and kubectl auth whoami",
            ) from None

    @property
    def pool(self) -> Any:
        """A urllib3 pool with the cluster's authority and the client's certificate."""
        return self._client.rest_client.pool_manager

    def headers(self) -> dict[str, str]:
        """The login; a token that ran out is fetched anew. Raises OutsideError when a login program fails."""
        try:
            found = self._configuration.auth_settings()
        except Exception as error:  # whatever a login program does
            raise OutsideError(f"The login to {self.server} failed: {printable_text(str(error))[:300]}") from None
        return {each["key"]: each["value"] for each in found.values() if each["in"] == "header" and each["value"]}

    def close(self) -> None:
        """Give the connections back."""
        self._client.rest_client.pool_manager.clear()


def _namespace(config: Any, place: str, context: str | None) -> str:
    """The namespace of the context. Raises NotFound."""
    contexts, active = config.list_kube_config_contexts(place)
    found = next((each for each in contexts if each["name"] == context), None) if context else active
    if found is None:
        known = ", ".join(repr(each["name"]) for each in contexts)
        raise NotFound(f"The kubeconfig has no context {context!r}.", hint=f"It has: {known}.")
    return str((found.get("context") or {}).get("namespace") or "default")
