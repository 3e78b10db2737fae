"""Bring a ticket into the shape the classifier reads: one subject line, one line of message."""

import re

from promptflow.core import tool

# Everything from the first of these lines on was not written for this ticket.
END_OF_MESSAGE = re.compile(
    r"^(?:"
    r"--\s*"  # the signature delimiter of mail programs
    r"|_{5,}\s*"
    r"|-{2,}\s*original message\s*-{2,}.*"
    r"|sent from my \w+.*"
    r"|on .{4,80} wrote:\s*"
    r"|am .{4,80} schrieb .{1,80}:\s*"
    r")$",
    re.IGNORECASE,
)
REPLY_PREFIX = re.compile(r"^(?:(?:re|fwd?|aw|wg)\s*:\s*)+", re.IGNORECASE)


def own_words(text: str) -> str:
    """The customer's own lines, without quotations and without what follows a signature mark."""
    kept: list[str] = []
    for line in text.splitlines():
        if END_OF_MESSAGE.match(line.strip()) and any(kept):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.strip())
    return "\n".join(kept)


def one_line(text: str) -> str:
    """A single line, so that no line of a ticket can pass for a role line of the prompt."""
    return " ".join(text.split())


@tool
def clean(subject: str, text: str) -> str:
    title = REPLY_PREFIX.sub("", one_line(subject))
    message = one_line(own_words(text)) or one_line(text)
    return f"Subject: {title or '(none)'}\nMessage: {message or '(empty)'}"
