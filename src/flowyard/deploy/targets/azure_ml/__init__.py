"""The target ``azure-ml``: online endpoints of a workspace, managed or on an attached Kubernetes cluster."""
