from promptflow.connections import AzureOpenAIConnection, CustomConnection
from promptflow.core import tool


@tool
def read(name: str, settings: CustomConnection, azure: AzureOpenAIConnection):
    both = settings.secrets["token"] + settings.configs["region"]
    return f"{name} {both} {settings.region} {azure.api_base} {azure.api_version} {azure['api_key']}"
