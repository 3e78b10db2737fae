"""Asking servers over connections that are kept."""
