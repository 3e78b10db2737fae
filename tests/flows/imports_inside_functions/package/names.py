from .more.words import WORD
