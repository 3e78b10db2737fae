"""A fake of a cluster's API over TLS, whose pods are processes of this machine.

It has what the target ``kubernetes`` uses, after the documented behaviour: server-side apply with owners of fields and
conflicts, labels, foreground deletion, the proxy to Services, logs, and one gateway. It is no cluster.
"""

from stand_in import Fault

from kubernetes_api.server import FakeKubernetes, running_kubernetes

__all__ = ["FakeKubernetes", "Fault", "running_kubernetes"]
