"""Who splits the requests among the arms of a test: a gateway, or whatever reads a file."""
