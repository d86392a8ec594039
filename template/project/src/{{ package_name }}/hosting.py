"""Settings that a hosting platform gives: the port, the routes of Vertex AI, and the folder of mounted weights."""

import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PORT_VARIABLES = ("AIP_HTTP_PORT", "PORT")
"""Variables that name the port: that of Vertex AI, and that of most other platforms."""

ROUTE_VARIABLES = {"health_route": "AIP_HEALTH_ROUTE", "predict_route": "AIP_PREDICT_ROUTE"}
"""Variable of Vertex AI for each setting of a route."""

ROUTE = re.compile(r"/|(?=.{1,256}$)(/(?!\.{1,2}(/|$))[A-Za-z0-9._~:-]+)+")
"""A path of at most 256 characters that no client, proxy or router reads differently: no escapes, no empty part."""


def check_route(value: str) -> str:
    """Return the path of a route, which may be empty.

    Raises:
        PydanticCustomError: It is no path, or one that may be read differently.
    """
    if value and not ROUTE.fullmatch(value):
        raise PydanticCustomError("route", "not a path such as /predict, of letters, digits and the characters -._~:/")
    return value


class HostingPlatform(PydanticBaseSettingsSource):
    """Settings from the variables of hosting platforms, and from the folders where they mount the model's files.

    It has the lowest priority: your own settings win. Only the environment counts, not `.env`, whose PORT is the
    published port of compose.yaml and may be a range.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        """Read the environment; PREFIX_WEIGHTS_FOLDERS lists the folders, separated by colons."""
        super().__init__(settings_cls)
        prefix = settings_cls.model_config.get("env_prefix", "")
        self._folders = os.environ.get(f"{prefix}WEIGHTS_FOLDERS", "").split(":")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing: the platform's settings are read together."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings that the platform gives.

        Raises:
            pydantic.ValidationError: A variable of the platform has a value that does not fit.
        """
        routes = {name: os.environ.get(variable, "") for name, variable in ROUTE_VARIABLES.items()}
        return {**_port(), **{name: value for name, value in routes.items() if value}, **self._weights()}

    def _weights(self) -> dict[str, Any]:
        """Return the settings of the first folder that holds files, or of the last one if it exists."""
        existing = [path for path in map(Path, filter(None, self._folders)) if path.is_dir()]
        found = next((path for path in existing if any(path.iterdir())), None)
        if found is None:
            last = str(existing[-1]) if existing else ""
            return {"model": last} if last and last == self._folders[-1] else {}
        if "exported" in self.settings_cls.model_fields and any(found.glob("*.onnx")):
            return {"exported": found, **_exported_model(found)}
        return {"model": str(found)}


def _port() -> dict[str, Any]:
    variable = next((name for name in PORT_VARIABLES if os.environ.get(name)), None)
    if variable is None:
        return {}
    value = os.environ[variable]
    if not re.fullmatch("[0-9]{1,5}", value) or int(value) > 65535:
        reason = PydanticCustomError("hosting", "not a port from 0 to 65535")
        details = InitErrorDetails(type=reason, loc=(variable,), input=value)
        raise ValidationError.from_exception_data("Settings", [details], hide_input=True)
    return {"port": int(value)}


def _exported_model(folder: Path) -> dict[str, str]:
    """Return name and revision of the model in the folder of an export, as far as its manifest has them."""
    from .inference.model_files import MANIFEST  # not above: it imports the settings

    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        known = {"model": manifest["model"], "revision": manifest.get("commit")}
    except (OSError, ValueError, TypeError, KeyError):  # loading the model says what is wrong
        return {}
    return {name: value for name, value in known.items() if isinstance(value, str)}
