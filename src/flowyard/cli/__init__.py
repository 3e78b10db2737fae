"""The command line: a folder or a file for each noun; a command parses, calls one function and prints one record."""
