"""The kinds of production records as values, and the files and sinks that they are written to and read from."""
