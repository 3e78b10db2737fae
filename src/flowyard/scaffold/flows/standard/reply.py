from promptflow.core import tool


@tool
def reply(prompt: str) -> str:
    """Replace this by a call of a model, or make the node one of type llm."""
    return f"Asked: {prompt}"
