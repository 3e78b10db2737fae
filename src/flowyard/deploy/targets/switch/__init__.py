"""Deployments behind a switch of this machine: what the targets local and docker share."""
