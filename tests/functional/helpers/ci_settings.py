"""Settings of repositories that CI files are written for."""

from __future__ import annotations

from flowyard.pipelines.generate.model import Branches, CiSettings, Cloud, Install

__all__ = ["SETTINGS"]

SETTINGS = {
    "defaults": CiSettings(),
    "azure": CiSettings(
        use_cases="cases",
        branches=Branches("develop", "rel-", "trunk"),
        cloud=Cloud(login="azure", service_connection="flowyard-shop"),
        secrets={"dev": ("AOAI_API_KEY",), "prod": ("AOAI_API_KEY",)},
        variables={"dev": ("AOAI_API_BASE",)},
        notify="team@example.com",
        approvers=("ann@example.com", "bob@example.com"),
        runners=("own pool", "gpu"),
    ),
    "own machine": CiSettings(
        home="/srv/flowyard", install=Install(requirements="requirements/ci.txt"), groups={"pr": "a", "dev": "b"}
    ),
}
