go = 3
