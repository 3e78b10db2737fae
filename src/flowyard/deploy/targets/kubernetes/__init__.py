"""The target ``kubernetes``: each deployment is a Deployment and a Service of a cluster."""
