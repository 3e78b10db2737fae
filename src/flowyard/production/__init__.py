"""What happened in production: records of exchanges, feedback and exposures, from the folder to the answer."""

from flowyard.production.record_folder import RecordFolder
from flowyard.production.record_sinks import open_record_sink

__all__ = ["RecordFolder", "open_record_sink"]
