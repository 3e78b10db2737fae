from .more import words

WORD = words.WORD
