"""A helper beside the tool."""


def shout(text):
    return text.upper()
