"""Model calls written to a file, and answered from it without a key or a network."""

from flowyard.llm.recording.connections import RecordedConnections, ReplayConnections
from flowyard.llm.recording.file import tidy_recording
from flowyard.llm.recording.replay import open_recording
from flowyard.llm.recording.rules import RecordingRules

__all__ = ["RecordedConnections", "RecordingRules", "ReplayConnections", "open_recording", "tidy_recording"]
