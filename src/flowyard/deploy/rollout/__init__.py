"""A version on its way to the requests of an endpoint, step by step."""
