"""Files for CI systems, written from the pipelines: thin, and the same commands as on a laptop."""

from flowyard.pipelines.generate.model import CiFile, CiSettings
from flowyard.pipelines.generate.settings_file import SETTINGS_FILE, read_ci_settings

__all__ = ["SETTINGS_FILE", "CiFile", "CiSettings", "read_ci_settings"]
