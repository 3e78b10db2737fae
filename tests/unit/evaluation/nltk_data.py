"""Small data sets in the file formats of NLTK, so that its readers run where nothing can be downloaded."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_nltk_data"]

ABBREVIATIONS = ("dr", "mr", "u.s")
SYNONYMS = {
    "noun": [("car", "auto", "automobile"), ("cost", "price"), ("home", "house")],
    "verb": [("buy", "purchase"), ("begin", "start")],
    "adj": [("big", "large")],
    "adv": [],
}
"""The synonyms that WordNet 3.0 has among the words of text_metrics.json."""
IRREGULAR = {"noun": "", "verb": "bought buy\n", "adj": "", "adv": ""}
_LETTER = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}


def write_nltk_data(folder: Path) -> Path:
    """Write both data sets below a folder and return it."""
    punkt = folder / "tokenizers" / "punkt_tab" / "english"
    punkt.mkdir(parents=True)
    (punkt / "abbrev_types.txt").write_text("".join(f"{each}\n" for each in ABBREVIATIONS), "utf-8")
    for name in ("collocations.tab", "ortho_context.tab", "sent_starters.txt"):
        (punkt / name).write_text("", "utf-8")
    wordnet = folder / "corpora" / "wordnet"
    wordnet.mkdir(parents=True)
    for part, synonyms in SYNONYMS.items():
        write_part_of_speech(wordnet, part, synonyms)
    (wordnet / "lexnames").write_text("00\tall\t1\n", "utf-8")
    for name in ("cntlist.rev", "index.sense"):
        (wordnet / name).write_text("", "utf-8")
    return folder


def write_part_of_speech(folder: Path, part: str, synonyms: list[tuple[str, ...]]) -> None:
    """The files of WordNet for one part of speech; a synset is found by the place of its line in the file."""
    letter, data, index = _LETTER[part], "", []
    for words in synonyms:
        offset = len(data)
        named = " ".join(f"{word} 0" for word in words)
        frames = " 01 + 02 00" if part == "verb" else ""
        data += f"{offset:08d} 00 {letter} {len(words):02x} {named} 000{frames} | words that mean the same\n"
        index += [f"{word} {letter} 1 0 1 0 {offset:08d}\n" for word in words]
    (folder / f"data.{part}").write_text(data, "utf-8")
    (folder / f"index.{part}").write_text("".join(sorted(index)), "utf-8")
    (folder / f"{part}.exc").write_text(IRREGULAR[part], "utf-8")
