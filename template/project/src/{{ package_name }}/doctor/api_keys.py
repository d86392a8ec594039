"""API keys."""

from ..server.api_keys import ApiKeys, ApiKeysError
from ..server.middleware.trusted_hosts import is_loopback
from . import Context, Finding


def api_keys(context: Context) -> Finding:
    """Check that the API keys are valid, and that nobody needs none from another machine."""
    settings = context.settings
    try:
        known = ApiKeys(settings)
    except ApiKeysError as error:
        return Finding("API keys", "fail", str(error), "correct the file or the setting, or use the command keys")
    if known.are_set:
        admins = sum(key.is_admin for key in known.keys)
        return Finding("API keys", "ok", f"{len(known.keys)} keys, {admins} of them admin")
    if is_loopback(settings.host):
        return Finding("API keys", "ok", f"none; only this machine can reach {settings.host}")
    found = f"none: whoever reaches {settings.host}:{settings.port} may use the API"
    return Finding("API keys", "warn", found, "make a key: keys make NAME")


CHECKS = [api_keys]
