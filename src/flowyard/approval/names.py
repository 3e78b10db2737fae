"""Names of people, as approvals compare them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from flowyard.errors import UserError

__all__ = ["is_approver", "require_name", "same_person"]

_LONGEST = 200
_WITH_ADDRESS = re.compile(r"\s*(.*?)\s*<\s*([^<>]+?)\s*>\s*")


def require_name(name: str, what: str = "name") -> str:
    """The name without blanks around it. Raises UserError for one that cannot be shown in one line."""
    name = name.strip()
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise UserError(
            f"A {what} is one line of 1 to {_LONGEST} characters.", hint="For example: Ann <ann@example.com>"
        )
    return name


def same_person(one: str, other: str) -> bool:
    """Whether two names may be the same person's: their name or their address is the same, in whatever case.

    In doubt they are, so that nobody counts twice by leaving out an address.
    """
    return not _parts(one).isdisjoint(_parts(other))


def is_approver(name: str, approvers: Iterable[str]) -> bool:
    """Whether a person is on a list of approvers; an empty list has everyone."""
    listed = list(approvers)
    return not listed or any(same_person(name, each) for each in listed)


def _parts(name: str) -> frozenset[str]:
    """A name of the form ``Ann <ann@example.com>`` as a whole, without the address, and the address alone."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    found = _WITH_ADDRESS.fullmatch(plain)
    return frozenset(filter(None, (plain, *(found.groups() if found else ()))))
