from .. import __name__ as above

WORD = f"word below {above}"
