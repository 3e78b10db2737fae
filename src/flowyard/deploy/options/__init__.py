"""What ``options`` of an environment may hold, by target: one module and one strict model for each."""

from flowyard.deploy.options.find import OPTIONS, option_problems, parse_options
from flowyard.deploy.options.model import TargetOptions

__all__ = ["OPTIONS", "TargetOptions", "option_problems", "parse_options"]
