"""The use cases of a repository: which there are, what each is made of, which of them a change touches."""
