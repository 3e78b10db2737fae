"""Whether a summary is one: short, and not simply the review."""


def score(summary: str, review: str, longest: int = 60) -> dict:
    return {"is_short": 0 < len(summary) <= longest, "is_own_words": summary.strip(". ") not in review}
