"""One file per kind of node; each makes a ``Step`` of it."""
