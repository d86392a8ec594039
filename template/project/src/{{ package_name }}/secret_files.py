"""Settings from files: the variable NAME_FILE holds the path of a file with the value of the setting NAME.

A file of variables, such as .env, is read by pydantic; it is looked at here before, because pydantic takes none of the
lines of one in UTF-16 for a variable.
"""

import stat
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

SUFFIXES = ("_FILE", "_file")
"""Ends of variables that hold a path; names are in lower case unless the settings are case-sensitive."""

MAX_SECRET_BYTES = 65_536
"""Maximum size of a file with the value of a setting, in bytes."""


class SecretFiles(EnvSettingsSource):
    """Values of settings that are in files, so that the environment holds no secret.

    A setting whose own name ends in `_file` is a path itself, and not the content of another setting.
    """

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        """Read the files that the variables of the sources name; the first source that has a variable wins.

        Raises:
            pydantic.ValidationError: A file cannot be read, is empty, is not UTF-8 or is larger than MAX_SECRET_BYTES.
        """
        super().__init__(settings_cls)
        variables: dict[str, str | None] = {}
        for source in reversed(sources):
            variables.update(source.env_vars if isinstance(source, EnvSettingsSource) else {})
        names = set(self._variables())
        paths = {name: name + suffix for name in names for suffix in SUFFIXES if variables.get(name + suffix)}
        self.env_vars = {
            name: _value(variable.upper(), Path(variables[variable] or ""))
            for name, variable in sorted(paths.items())
            if variable not in names
        }

    def _variables(self) -> list[str]:
        """Return the name of each setting's own variable."""
        aliases = {name: field.validation_alias for name, field in self.settings_cls.model_fields.items()}
        names = [alias if isinstance(alias, str) else f"{self.env_prefix}{name}" for name, alias in aliases.items()]
        return names if self.case_sensitive else [name.lower() for name in names]


def read_secret(path: Path) -> str:
    """Return the text of a file, without the line breaks at its end.

    Raises:
        ValueError: The file cannot be read, is empty, is not UTF-8 or is larger than MAX_SECRET_BYTES; the message is
            one line.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe without a writer would never end
            raise ValueError(f"{path} is not a file")
        with path.open("rb") as stream:
            content = stream.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"{path} is larger than {MAX_SECRET_BYTES} bytes: name a file that holds the value alone")
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def check_variables(path: Path) -> None:
    """Do nothing if a file of variables is absent, or UTF-8 text with or without a byte order mark.

    Raises:
        pydantic.ValidationError: It is not.
    """
    try:
        content = path.read_bytes() if path.is_file() else b""
        if "\0" not in content.decode("utf-8-sig"):
            return
    except UnicodeDecodeError:
        pass
    except OSError as error:
        raise _invalid(str(path), f"it cannot be read: {error.strerror}") from None
    raise _invalid(str(path), "it is not UTF-8 text: save it in the encoding UTF-8")


def _value(variable: str, path: Path) -> str:
    try:
        return read_secret(path)
    except ValueError as error:
        raise _invalid(variable, str(error)) from None


def _invalid(name: str, reason: str) -> ValidationError:
    kind = PydanticCustomError("secret_file", "{reason}", {"reason": reason})
    details = InitErrorDetails(type=kind, loc=(name,), input=name)
    return ValidationError.from_exception_data("Settings", [details], hide_input=True)
