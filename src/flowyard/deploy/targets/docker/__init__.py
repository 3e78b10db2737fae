"""The target ``docker``: containers of this machine."""
