"""Names of images and repositories, which go into command lines and records: never with a password."""

from __future__ import annotations

import re

from flowyard.errors import UserError

__all__ = ["DIGEST_LABEL", "REPOSITORY_FORM", "is_repository", "require_image_name", "require_repository"]

DIGEST_LABEL = "flowyard.digest"
"""The label of an image with the digest of the flow version in it."""
REPOSITORY_FORM = "registry.example/team/shop: lower case, without https:// and without a tag"

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]{1,5})?"
_REPOSITORY = re.compile(rf"(?:{_HOST}(?:/{_PART})+|{_PART})")
_DIGEST = r"sha256:[0-9a-f]{64}"
_IMAGE = re.compile(rf"(?:(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@{_DIGEST})?|{_DIGEST})")


def is_repository(name: str) -> bool:
    """Whether images can be pushed to something of this name."""
    return _REPOSITORY.fullmatch(name) is not None


def require_repository(name: str) -> str:
    """The name. Raises UserError for what is none, without repeating it."""
    if not is_repository(name):
        raise UserError("This is no name of a repository.", hint=f"Write it as {REPOSITORY_FORM}.")
    return name


def require_image_name(name: str) -> str:
    """The name of an image. Raises UserError for what is none, without repeating it."""
    if not _IMAGE.fullmatch(name):
        raise UserError("This is no name of an image.", hint="Write it as python:3.11-slim or registry.example/base:2.")
    return name
