def go():
    return {"v": 1}
