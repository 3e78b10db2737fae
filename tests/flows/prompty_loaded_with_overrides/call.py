import os
from pathlib import Path

from promptflow.core import OpenAIModelConfiguration, Prompty, tool

PROMPTY = Path(__file__).parent / "ask.prompty"


@tool
def call(x: str):
    laid_over = Prompty.load(
        source=PROMPTY,
        model={"configuration": {"model": "large"}, "parameters": {"max_tokens": 4}},
        inputs={"n": {"default": 9}},
    )
    where = OpenAIModelConfiguration(model="other", base_url=os.environ["OPENAI_BASE_URL"], api_key="${env:MODEL_KEY}")
    return [laid_over(x=x), Prompty.load(source=PROMPTY, model={"configuration": where})(x=x)]
