"""Open models behind Azure Machine Learning endpoints: Llama, Dolly, GPT-2 and Falcon."""

from __future__ import annotations

import re
from typing import Any

from flowyard.errors import ConnectionMissing, ProviderError, UserError
from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import Connection, CustomConnection, SimulatedConnection
from flowyard.llm.model_call import PromptCall
from flowyard.llm.services import Services
from flowyard.tools.open_model_formats import FAMILIES, ModelFormat, format_of
from flowyard.tools.service_call import ServiceRequest, address_of, ask_service, secret_of

__all__ = ["call"]

_PLACES = ("serverlessendpoint", "onlineendpoint", "connection", "localconnection")
_ANY_DEPLOYMENT = "default"
_FIELDS = ("endpoint_url", "endpoint_api_key", "model_family")


async def call(
    services: Services,
    prompt: ChatPrompt,
    endpoint_name: str,
    api: str,
    deployment_name: str | None = None,
    temperature: float = 1.0,
    max_new_tokens: int = 500,
    top_p: float = 1.0,
    model_kwargs: dict[str, Any] | None = None,
    **variables: Any,
) -> str:
    """The text that the model behind an endpoint generates.

    ``endpoint_name`` is ``localConnection/NAME``, or another of prompt flow's forms; NAME is a custom connection with
    ``endpoint_url``, ``endpoint_api_key`` and ``model_family``. ``api`` is ``chat`` or ``completion``, ``model_kwargs``
    are further parameters of the model. Raises UserError, ConnectionMissing, ProviderError, ValueError from Jinja.
    """
    parameters = {"top_p": top_p, "temperature": temperature, "max_new_tokens": max_new_tokens}
    connection = _connection(services, endpoint_name)
    is_chat = _is_chat(api)
    if isinstance(connection, SimulatedConnection):
        inputs = {"model": endpoint_name, "temperature": temperature, "max_tokens": max_new_tokens, "top_p": top_p}
        return str(await PromptCall(services, connection, api, prompt).answer({**variables, **inputs}))
    form = format_of(str(connection.get("model_family")), address_of(connection, "endpoint_url"), is_chat=is_chat)
    request = ServiceRequest(
        f"The {form.family} endpoint",
        connection,
        form.url,
        headers=_headers(connection, deployment_name),
        body=form.body(
            prompt.messages(variables) if form.takes_messages else prompt.text(variables),
            {**(model_kwargs or {}), **parameters},
        ),
    )
    return _text(form, await ask_service(services, request), request.label)


def _is_chat(api: str) -> bool:
    if api not in ("chat", "completion"):
        raise UserError(f"An open model has no api {api!r}.", hint="Use 'chat' or 'completion'.")
    return api == "chat"


def _connection(services: Services, endpoint_name: str) -> Connection:
    place, _, name = endpoint_name.partition("/")
    if place.lower() not in _PLACES or not name:
        raise UserError(
            f"{endpoint_name!r} does not name an endpoint.",
            hint="Write localConnection/NAME, with a custom connection.",
        )
    try:
        found = services.connections.get(name, needed_by=f"The endpoint {endpoint_name!r}")
    except ConnectionMissing:
        raise ConnectionMissing(
            f"The endpoint {endpoint_name!r} is not known: no connection is called {name!r}.",
            hint="Endpoints are not looked up in a workspace. Declare a custom connection of that name: configs "
            f"endpoint_url and model_family ({', '.join(FAMILIES)}), secret endpoint_api_key; for example in a file "
            f"connections/{re.sub(r'[^A-Za-z0-9_-]', '_', name)}.yaml beside the flow.",
        ) from None
    if isinstance(found, SimulatedConnection):
        return found
    missing = [key for key in _FIELDS if not found.get(key)]
    if not isinstance(found, CustomConnection) or missing:
        raise UserError(
            f"Connection {name!r} ({found.type}) cannot be used for an open model: it lacks {', '.join(missing)}.",
            hint=f"A custom connection with {', '.join(_FIELDS)} is needed.",
        )
    return found


def _headers(connection: Connection, deployment_name: str | None) -> dict[str, str]:
    deployment = (deployment_name or "").strip()
    headers = {"Authorization": f"Bearer {secret_of(connection, 'endpoint_api_key')}"}
    if deployment and deployment != _ANY_DEPLOYMENT:
        headers["azureml-model-deployment"] = deployment
    return headers


def _text(form: ModelFormat, answer: Any, label: str) -> str:
    try:
        return str(form.text(answer))
    except (KeyError, IndexError, TypeError):
        raise ProviderError(f"{label} answered in a form that its model family does not have.") from None
