from package.words import word


def go(x: str):
    return word + x
