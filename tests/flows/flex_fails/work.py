def go(x: str):
    raise ValueError(f"no {x}")
