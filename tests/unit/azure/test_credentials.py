"""Tokens: from where, for how long, and that they are not shown."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import pytest

from flowyard.azure import AzureDenied, AzureError
from flowyard.azure.blobs import BlobAccess, _listed
from flowyard.azure.credentials import IdentityTokens, open_tokens
from flowyard.azure.errors import plain_reason
from flowyard.azure.http import Call
from flowyard.errors import ExtraMissing

SCOPE = "https://management.azure.com/.default"


@dataclass
class Token:
    token: str
    expires_on: int


class Login:
    """What azure-identity's credentials look like; each token holds for an hour of a clock."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.asked: list[str] = []

    def get_token(self, scope: str) -> Token:
        self.asked.append(scope)
        return Token(f"token {len(self.asked)}", int(self.clock[0]) + 3600)


async def test_a_token_is_kept_until_shortly_before_its_end():
    clock = [1000.0]
    login = Login(clock)
    tokens = IdentityTokens(lambda: login, clock=lambda: clock[0])
    assert [await tokens.token(SCOPE), await tokens.token(SCOPE)] == ["token 1", "token 1"]
    assert await tokens.token("https://vault.azure.net/.default") == "token 2"
    clock[0] += 3000
    assert await tokens.token(SCOPE) == "token 1"
    clock[0] += 301
    assert await tokens.token(SCOPE) == "token 3"
    assert await tokens.token(SCOPE, fresh=True) == "token 4"


async def test_no_login_is_told_with_what_to_do():
    class Nobody:
        def get_token(self, scope: str) -> Token:
            raise RuntimeError("DefaultAzureCredential failed\nAttempted credentials: many")

    with pytest.raises(
        AzureDenied, match="There is no login for Azure: DefaultAzureCredential failed Attempted credentials: many"
    ) as denied:
        await IdentityTokens(Nobody).token(SCOPE)
    assert "az login" in denied.value.hint


@pytest.mark.skipif(importlib.util.find_spec("azure") is not None, reason="azure-identity is installed")
async def test_a_missing_extra_is_told_when_a_token_is_asked_for():
    tokens = open_tokens({})
    with pytest.raises(ExtraMissing) as missing:
        await tokens.token(SCOPE)
    assert missing.value.hint == "pip install 'flowyard[azure]'"


async def test_a_given_token_is_used_and_not_shown():
    tokens = open_tokens({"FLOWYARD_AZURE_TOKEN": "a-secret-token"})
    assert await tokens.token(SCOPE) == "a-secret-token"
    access = BlobAccess("https://x.blob.core.windows.net/c", signature="sig=secret", tokens=tokens)
    headers = {"Authorization": "Bearer a-secret-token"}
    call = Call("GET", "https://x.blob.core.windows.net/c?sig=secret", "GET blob c", headers)
    assert "secret" not in f"{tokens!r} {access!r} {call!r}"


@pytest.mark.parametrize(
    "text",
    [
        "AccountKey=c2VjcmV0;EndpointSuffix=core",
        "client_secret=c2VjcmV0&x=1",
        "client_assertion=c2VjcmV0",
        "refused eyJc2VjcmV0MTIz.c2VjcmV0.c2VjcmV0 as a token",
        "?sv=1&sig=c2VjcmV0",
    ],
)
def test_no_reason_shows_a_secret(text: str):
    assert "c2VjcmV0" not in plain_reason(text)
    assert "******" in plain_reason(text)


def test_a_list_of_blobs_in_another_encoding_cannot_hide_its_document_type():
    bomb = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "x">]><a><Blob><Name>&b;</Name></Blob></a>'
    for content in (bomb.encode("utf-16"), bomb.encode()):
        with pytest.raises(AzureError, match="cut off"):
            _listed(content)
