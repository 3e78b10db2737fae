"""What came over a connection, read strictly: heads of requests and of answers, and bodies in chunks."""
