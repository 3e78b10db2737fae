"""Data as rows: where its files are, how they are packed, and a reader for each form. ``runs.dataset`` is the door."""
