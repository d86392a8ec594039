"""Your settings, beside those of base_settings.py. Updates never touch this file.

Each setting is read from the environment variable of its name behind the prefix of base_settings.py, or from `.env`.
"""

from .base_settings import ServiceSettings


class Settings(ServiceSettings):
    """Add a setting as a typed field, for example `greeting: str = "Hello"`."""
