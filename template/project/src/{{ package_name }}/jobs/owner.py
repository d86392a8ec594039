"""Whose jobs and files a client, or a running job, may use."""

from dataclasses import dataclass

from ..db.models import DEFAULT_OWNER
from ..errors import InvalidInputError


class QuotaExceededError(InvalidInputError):
    """The owner has used up a quota."""


@dataclass(frozen=True)
class Owner:
    """The owner of what a client makes: the name of its API key."""

    name: str
    is_admin: bool = False
    """Whether the owner may use what belongs to others, too."""

    @property
    def scope(self) -> str | None:
        """Name of the owner whose jobs and files may be used, or None: those of all."""
        return None if self.is_admin else self.name


OPERATOR = Owner(DEFAULT_OWNER, is_admin=True)
"""Owner of everything while the API needs no keys."""
