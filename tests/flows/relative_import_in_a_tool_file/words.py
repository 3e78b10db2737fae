WORD = "w"
