"""From an experiment to what may be deployed: data, experiment, gates, registration, approval."""

from flowyard.release.log import ReleaseLog
from flowyard.release.model import ReleaseRecord

__all__ = ["ReleaseLog", "ReleaseRecord"]
