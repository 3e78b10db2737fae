"""The command line: one file per noun; a command parses, calls one function and prints one record."""
