word = "w"
