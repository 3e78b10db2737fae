from promptflow.core import AzureOpenAIModelConfiguration


class Go:
    def __init__(self, model_config: AzureOpenAIModelConfiguration):
        self.config = model_config

    def __call__(self, x: str):
        return {"deployment": self.config.azure_deployment, "endpoint": self.config.azure_endpoint}
