from pathlib import Path

print(Path("words.txt").read_text().strip())
