import zipfile

from promptflow.core import tool


@tool
def work(x):
    with zipfile.ZipFile("only_files.zip") as archive:
        names = sorted(name.rstrip("/") for name in archive.namelist())
        return x + " " + ", ".join(names) + " " + archive.read("only_files/one.txt").decode().strip()
