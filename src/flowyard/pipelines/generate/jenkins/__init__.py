"""Pipelines for Jenkins: ``.jenkins/Jenkinsfile.NAME``, declarative, one for each pipeline."""

from flowyard.pipelines.generate.jenkins.files import files

__all__ = ["files"]
