"""Settings of this project."""

from .base_settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the service, and ours."""

    garden: str = "Kew"
    """Where the irises grow."""
