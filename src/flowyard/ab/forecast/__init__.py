"""How long a test will take, before it starts and while it runs."""
