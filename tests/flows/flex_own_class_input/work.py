class Question:
    pass


def go(x: Question):
    return "x"
