"""The target ``local``: processes of this machine."""
