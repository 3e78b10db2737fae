"""The names of ``promptflow.tools.common`` that third-party tools import."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.errors import UserError
from flowyard.llm.connection import Connection
from flowyard.llm.messages import ROLES
from flowyard.llm.messages import parse_chat as parse_messages
from flowyard.llm.prompt_text import PromptText
from flowyard.media import Image, LinesList, in_lines, placeholders, separate_images
from flowyard.media.values import find_values
from flowyard.tools.direct import build_messages, client_settings, pass_through, render_text

__all__ = [
    "VALID_ROLES",
    "ChatInputList",
    "PromptResult",
    "build_messages",
    "convert_to_chat_list",
    "find_referenced_image_set",
    "handle_openai_error",
    "init_azure_openai_client",
    "init_openai_client",
    "normalize_connection_config",
    "parse_chat",
    "preprocess_template_string",
    "render_jinja_template",
    "to_bool",
]

VALID_ROLES = list(ROLES)
ChatInputList = LinesList
PromptResult = PromptText
convert_to_chat_list = in_lines
handle_openai_error = pass_through
normalize_connection_config = client_settings
preprocess_template_string = separate_images
render_jinja_template = render_text


def parse_chat(
    chat_str: str, images: Sequence[Image] | None = None, valid_roles: Any = None, image_detail: str = "auto", **_: Any
) -> list[dict[str, Any]]:
    """The messages of a rendered chat prompt. Raises UserError, also for a role that is not among ``valid_roles``."""
    messages = parse_messages(chat_str, images=placeholders(list(images or ())), image_detail=image_detail)
    for message in messages:
        if valid_roles and message["role"] not in valid_roles:
            raise UserError(f"The role {message['role']!r} is not one of: {', '.join(valid_roles)}.")
    return messages


def find_referenced_image_set(kwargs: dict[str, Any]) -> set[Image]:
    """The pictures among some values."""
    return set(find_values(kwargs, Image))


def to_bool(value: Any) -> bool:
    """Whether a value reads ``true``."""
    return str(value).lower() == "true"


def init_openai_client(connection: Connection) -> Any:
    """A client of the ``openai`` package, which has to be installed."""
    return import_module("openai").OpenAI(**client_settings(connection))


def init_azure_openai_client(connection: Connection) -> Any:
    """A client of the ``openai`` package for Azure, which has to be installed."""
    return import_module("openai").AzureOpenAI(**client_settings(connection))


__getattr__ = uncovered_names("promptflow.tools.common")
