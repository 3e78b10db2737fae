"""Names of people, as approvals compare them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from flowyard.errors import UserError

__all__ = ["count_people", "find_approver", "is_approver", "require_name", "same_person"]

_LONGEST = 200
_WITH_ADDRESS = re.compile(r"\s*([^<>]*?)\s*<\s*([^<>\s@]+@[^<>\s@]+)\s*>\s*")
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_LOOKS_LATIN = str.maketrans("аеорсухіјѕԁԛԝһӏвкмнтгαονρικυτεχηβγωıɑɡłøđ", "aeopcyxijsdqwhlbkmhtraovpikutexnbywiaglod")
"""Small letters that are hard to tell from Latin ones, some of them only as capitals."""
_EMPTY = "\u115f\u1160\u3164\uffa0\u2800"
"""Letters and signs that show nothing."""


class _Person(NamedTuple):
    """The two parts of ``Ann <ann@example.com>``; one is empty where a person is named by the other alone."""

    name: str
    address: str


def require_name(name: str, what: str = "name") -> str:
    """The name without blanks around it. Raises UserError for one that cannot be shown in one line."""
    name = name.strip()
    if not _look(name) or len(name) > _LONGEST or not name.isprintable():
        raise UserError(
            f"A {what} is one line of 1 to {_LONGEST} characters.", hint="For example: Ann <ann@example.com>"
        )
    return name


def same_person(one: str, other: str) -> bool:
    """Whether two names may be the same person's, so that nobody counts twice by writing theirs in another way.

    In doubt they are: the name or the address is the same, or looks the same, or one is what the other's address begins
    with.
    """
    first, second = _marks(one), _marks(other)
    if not first.isdisjoint(second):
        return True
    return not first.isdisjoint(_mailboxes(second, first)) or not second.isdisjoint(_mailboxes(first, second))


def find_approver(name: str, approvers: Iterable[str]) -> str | None:
    """The entry of a list of approvers that names exactly this person; None when there is none.

    Where both have an address, it is the address that counts, because anyone can take a name. In doubt there is none.
    """
    person = _parts(name)
    for entry in approvers:
        listed = _parts(entry)
        if person.address and listed.address:
            is_same = person.address == listed.address
        else:
            is_same = bool(listed.name) and person.name == listed.name
        if is_same:
            return entry
    return None


def is_approver(name: str, approvers: Iterable[str]) -> bool:
    """Whether a person is on a list of approvers; an empty list has everyone."""
    listed = list(approvers)
    return not listed or find_approver(name, listed) is not None


def count_people(names: Iterable[str]) -> int:
    """How many people the names are of, where those that may be one person's count once."""
    known: list[str] = []
    for name in names:
        if not any(same_person(name, each) for each in known):
            known.append(name)
    return len(known)


def _parts(text: str) -> _Person:
    plain = _plain(text)
    found = _WITH_ADDRESS.fullmatch(plain)
    if found:
        return _Person(found[1], found[2])
    return _Person("", plain) if "@" in plain else _Person(plain, "")


def _marks(text: str) -> frozenset[str]:
    """What a person is known by: the name and every address, as they look."""
    plain = _plain(text)
    return frozenset(filter(None, map(_look, (plain.partition("<")[0], *_ADDRESS.findall(plain))))) or frozenset(
        {_look(plain)}
    )


def _mailboxes(marks: frozenset[str], other: frozenset[str]) -> set[str]:
    """What addresses begin with, for comparing with somebody of whom no address is known."""
    if any("@" in mark for mark in other):
        return set()
    return {mark.partition("@")[0] for mark in marks if "@" in mark}


def _plain(text: str) -> str:
    """One spelling of what is the same text: without regard to case, blanks, and widths of letters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _look(text: str) -> str:
    """One spelling of what looks the same, and of addresses that lead to the same mailbox."""
    split = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    shown = "".join(
        each for each in split if unicodedata.category(each) not in ("Mn", "Me", "Cf") and each not in _EMPTY
    )
    name, at, host = " ".join(shown.translate(_LOOKS_LATIN).split()).strip('"').partition("@")
    if at:
        name = name.partition("+")[0].strip('"')
    return f"{name}{at}{host.rstrip('.')}"
