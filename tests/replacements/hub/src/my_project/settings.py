"""Settings of this project."""

from .base_settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the service, and ours."""

    certain_from: float = 0.9
    """Score from which a label is certain."""
