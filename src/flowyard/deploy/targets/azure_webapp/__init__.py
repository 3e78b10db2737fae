"""The target ``azure-webapp``: containers in slots of an App Service web app."""
