class Add:
    def __call__(self, x: int):
        return x + 1


go = Add()
