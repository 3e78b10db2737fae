"""Listening, and one connection after the other: requests are read, handed on and answered."""
