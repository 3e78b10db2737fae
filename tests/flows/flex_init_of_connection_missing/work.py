from promptflow.connections import CustomConnection


class Go:
    def __init__(self, conn: CustomConnection):
        self.conn = conn

    def __call__(self, x: str):
        return x
