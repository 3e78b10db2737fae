"""Run in promptflow's own environment: what it makes of pictures in prompts and in data, as one JSON object in a file.

The cases come as JSON in which ``{"__image__": [base64, mime, url]}`` stands for a picture; so they go back.
"""

import base64
import contextlib
import json
import logging
import sys
from pathlib import Path


def decoded(value):
    from promptflow.contracts.multimedia import Image

    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict) and "__image__" in value:
        data, mime, url = value["__image__"]
        return Image(base64.b64decode(data), mime, url)
    return {key: decoded(item) for key, item in value.items()} if isinstance(value, dict) else value


def encoded(value):
    from promptflow.contracts.multimedia import Image

    if isinstance(value, Image):
        return {"__image__": [value.to_base64(), value._mime_type, value.source_url]}
    if isinstance(value, list):
        return [encoded(item) for item in value]
    return {key: encoded(item) for key, item in value.items()} if isinstance(value, dict) else value


def vision_messages(template, values):
    """The messages that the vision tools send; without their slip that loses ``detail``."""
    from promptflow.tools import common

    images = list(common.find_referenced_image_set(values))
    prompt = common.preprocess_template_string(template)
    return common.build_messages(prompt=prompt, images=images, **common.convert_to_chat_list(values))


def prompty_messages(template, values):
    from promptflow.core._prompty_utils import convert_prompt_template

    return convert_prompt_template(template, values, "chat")


def loaded(value, form):
    from promptflow._utils.multimedia_utils import MultimediaProcessor

    return encoded(MultimediaProcessor.create(form).load_multimedia_data_recursively(value))


def as_image(value, form):
    from promptflow._utils.multimedia_utils import MultimediaProcessor

    return encoded(MultimediaProcessor.create(form).create_image(value))


def over_http(value, form):
    from promptflow._utils.multimedia_utils import MultimediaProcessor

    return MultimediaProcessor.create(form).convert_multimedia_data_to_base64_dict(decoded(value))


def names(value):
    return [str(decoded(value)), repr(decoded(value)), decoded(value)._mime_type]


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    logging.disable(logging.CRITICAL)
    cases = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    with contextlib.redirect_stdout(sys.stderr):
        found = {
            "vision": [attempt(vision_messages, text, decoded(values)) for text, values in cases["prompts"]],
            "prompty": [attempt(prompty_messages, text, decoded(values)) for text, values in cases["prompts"]],
            "loaded": [attempt(loaded, *case) for case in cases["loaded"]],
            "as_image": [attempt(as_image, *case) for case in cases["as_image"]],
            "over_http": [attempt(over_http, *case) for case in cases["over_http"]],
            "names": [attempt(names, case) for case in cases["names"]],
        }
    Path(sys.argv[2]).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
