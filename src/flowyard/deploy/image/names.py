"""Names of images and repositories, which go into command lines and records: never with a password."""

from __future__ import annotations

import re

from flowyard.errors import UserError

__all__ = [
    "DIGEST_LABEL",
    "REFERENCE_FORM",
    "REPOSITORY_FORM",
    "is_reference",
    "is_repository",
    "require_image_name",
    "require_reference",
    "require_repository",
]

DIGEST_LABEL = "flowyard.digest"
"""The label of an image with the digest of the flow version in it."""
REPOSITORY_FORM = "registry.example/team/shop: lower case, without https:// and without a tag"
REFERENCE_FORM = "registry.example/team/shop@sha256:…, as `flowyard image build --push` says it; tags can be moved"

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]{1,5})?"
_REPOSITORY = re.compile(rf"(?:{_HOST}(?:/{_PART})+|{_PART})")
_DIGEST = r"sha256:[0-9a-f]{64}"
_IMAGE = re.compile(rf"(?:(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@{_DIGEST})?|{_DIGEST})")
_REFERENCE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?@{_DIGEST}")


def is_reference(name: str) -> bool:
    """Whether it names one image for ever: by its digest."""
    return _REFERENCE.fullmatch(name) is not None


def require_reference(name: str) -> str:
    """The name of an image with its digest. Raises UserError for what is none, without repeating it."""
    if not is_reference(name):
        raise UserError("An image that was built elsewhere is named by its digest.", hint=f"{REFERENCE_FORM}.")
    return name


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
