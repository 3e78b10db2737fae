def words():
    return "words from elsewhere"
