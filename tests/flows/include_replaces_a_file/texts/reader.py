def read():
    return "text"
