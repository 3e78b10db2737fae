def go(line_number: int, x: str):
    return {"number": line_number, "x": x}
