"""What happened in production: records of exchanges, feedback and exposures, from the folder to the answer."""

from flowyard.production.records.folder import RecordFolder
from flowyard.production.records.sinks import open_record_sink

__all__ = ["RecordFolder", "open_record_sink"]
