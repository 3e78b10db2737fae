"""Exchanges as lines of a dataset: hidden where personal, looked through by people, registered."""
