from __future__ import annotations

import ipaddress

import pytest

from flowyard._util.addresses import is_number_host, is_public, parse_address
from flowyard.media import UrlRules


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public(address: str):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_addresses_that_are(address: str):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.0x1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1.",
        "1.2.3.4.5",
    ],
)
def test_odd_spellings_of_an_address(host: str):
    assert parse_address(host) is None
    assert is_number_host(host)


@pytest.mark.parametrize("host", ["example.com", "1.2.3.example", "0xcafe.org", "a1", "localhost."])
def test_names_are_not_numbers(host: str):
    assert not is_number_host(host)
    assert parse_address(host) is None


@pytest.mark.parametrize(
    ("listed", "host", "port", "allowed"),
    [
        ("pictures.corp", "Pictures.Corp", 443, True),
        ("pictures.corp", "pictures.corp.", 8080, True),
        ("pictures.corp:8080", "pictures.corp", 8080, True),
        ("pictures.corp:8080", "pictures.corp", 80, False),
        ("corp", "pictures.corp", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]", "::1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:81", "::1", 80, False),
    ],
)
def test_listed_hosts(listed: str, host: str, port: int, allowed: bool):
    assert UrlRules(frozenset({listed})).allows(host, port) is allowed
    assert not UrlRules().allows(host, port)
