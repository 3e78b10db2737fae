"""Pipelines for Azure DevOps: ``.azure-pipelines/flowyard-*-pipeline.yml`` and the templates that they are made of."""

from flowyard.pipelines.generate.azure_devops.files import files

__all__ = ["files"]
