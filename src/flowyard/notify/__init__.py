"""Messages to people: by e-mail, to Slack, to Teams or to any webhook."""

from flowyard.notify.model import Link, Notice
from flowyard.notify.open import check_target, open_notifier, open_notifiers

__all__ = ["Link", "Notice", "check_target", "open_notifier", "open_notifiers"]
