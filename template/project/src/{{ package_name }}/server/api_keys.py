"""API keys of the settings and of a file, of which only hashes are stored.

A key is 256 random bits: nobody finds it by trying what fits its SHA-256. A slow hash such as bcrypt protects
passwords that people choose; here it would only slow down each request.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ..base_settings import ServiceSettings
from .client import DEFAULT, Client

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 1_000_000
"""Maximum size of the file of keys, or of the setting."""

MAX_KEYS = 5_000
"""Maximum number of keys."""

CHECK_SECONDS = 1.0
"""Minimum time between two checks of whether the file has changed."""

UNSETTLED_SECONDS = 2.0
"""Age of a change below which the file may change again without another time of change: it is read once more."""

LOCK_SECONDS = 10
"""Maximum wait for another command that changes the file."""

NAME = r"[a-z0-9][a-z0-9._-]{0,63}"

LINE = re.compile(rf"({NAME})" + r"[ \t]+sha256:([0-9a-f]{64})([ \t]+admin)?", re.ASCII)

FORMAT = "expected NAME sha256:HASH, and optionally admin"


class ApiKeysError(OSError):
    """The API keys cannot be read, or are not valid. The message never contains them."""


@dataclass(frozen=True)
class ApiKey:
    """A stored key."""

    name: str
    digest: bytes
    """SHA-256 of the key."""
    is_admin: bool

    @property
    def line(self) -> str:
        """The line of a file that stores the key, without a line break."""
        return f"{self.name} sha256:{self.digest.hex()}{' admin' if self.is_admin else ''}"


def make_key() -> str:
    """Return a new key: 256 random bits as text."""
    return f"sk-{secrets.token_urlsafe(32)}"


def digest(key: bytes) -> bytes:
    """Return the hash of a key that is stored."""
    return hashlib.sha256(key).digest()


def parse(text: str, source: str) -> list[ApiKey]:
    """Return the keys of a text: one a line, with blank lines and comments, which begin with `#`.

    Raises:
        ApiKeysError: A line is not valid, or a name or a key occurs twice. The message names `source` and the line.
    """
    keys: list[ApiKey] = []
    lines: dict[str | bytes, int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if not match:
            raise ApiKeysError(f"{source}, line {number}: {FORMAT}")
        key = ApiKey(match[1], bytes.fromhex(match[2]), bool(match[3]))
        for each, kind in ((key.name, "name"), (key.digest, "key")):
            if each in lines:
                raise ApiKeysError(f"{source}, line {number}: the same {kind} as on line {lines[each]}")
            lines[each] = number
        keys.append(key)
        if len(keys) > MAX_KEYS:
            raise ApiKeysError(f"{source}: more than {MAX_KEYS:,} keys")
    return keys


def parse_setting(text: str) -> list[ApiKey]:
    """Return the keys of the setting `api_keys`, in which a semicolon ends a line, too.

    Raises:
        ApiKeysError: It is not valid.
    """
    if len(text) > MAX_FILE_BYTES:
        raise ApiKeysError(f"api_keys: larger than {MAX_FILE_BYTES:,} bytes")
    return parse(text.replace(";", "\n"), "api_keys")


def read(path: Path) -> tuple[bytes, os.stat_result]:
    """Return the content of a file of keys, and its state before it was read.

    Raises:
        OSError: It cannot be read.
        ApiKeysError: It is not a file, or too large.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # opening a FIFO would wait for a writer
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ApiKeysError(f"{path}: not a file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise ApiKeysError(f"{path}: larger than {MAX_FILE_BYTES:,} bytes")
    return content, state


def parse_file(path: Path, content: bytes) -> list[ApiKey]:
    """Return the keys of the content of a file.

    Raises:
        ApiKeysError: It is not valid.
    """
    try:
        return parse(content.decode(), str(path))
    except UnicodeDecodeError:
        raise ApiKeysError(f"{path}: not UTF-8") from None


def add(path: Path, key: ApiKey) -> None:
    """Add a key to a file, which is created if it does not exist.

    Raises:
        OSError: The file cannot be read or written.
        ApiKeysError: The file is not valid, or has the name already.
    """

    def edit(lines: list[str], keys: list[ApiKey]) -> list[str]:
        if key.name in {each.name for each in keys}:
            raise ApiKeysError(f"{path} has a key {key.name} already: choose another name, or revoke that key first")
        return [*lines, key.line]

    _edit(path, edit)


def remove(path: Path, name: str) -> None:
    """Remove a key from a file.

    Raises:
        OSError: The file cannot be read or written.
        ApiKeysError: The file is not valid, or has no key of that name.
    """

    def edit(lines: list[str], keys: list[ApiKey]) -> list[str]:
        if name not in {each.name for each in keys}:
            raise ApiKeysError(f"{path} has no key {name}")
        return [line for line in lines if line.split()[:1] != [name]]

    _edit(path, edit)


def _edit(path: Path, edit: Callable[[list[str], list[ApiKey]], list[str]]) -> None:
    """Replace a file by edited lines, under a lock, so that readers see the old file or the new one.

    Only its owner can read a new file; an existing one keeps its owner and mode.
    """
    path = path.resolve()  # a link stays one
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
        content, before = b"", None
        with suppress(FileNotFoundError):
            content, before = read(path)
        keys = parse_file(path, content)
        lines = edit(content.decode().splitlines(), keys)
        text = "".join(f"{line}\n" for line in lines)
        parse_file(path, text.encode())  # no more keys than readers take
        descriptor, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if before:
                with suppress(PermissionError):  # only root may give a file away
                    shutil.chown(new, before.st_uid, before.st_gid)
                Path(new).chmod(stat.S_IMODE(before.st_mode))
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise


class ApiKeys:
    """Keys that open the API, read again when their file changes.

    Requests need a key as soon as the file exists, even if it is empty, or the setting `api_keys` has a key. That stays
    so for the life of the process: a file that vanishes, or cannot be read any more, keeps its last keys.
    """

    def __init__(self, settings: ServiceSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the keys.

        Raises:
            ApiKeysError: The keys cannot be read or are not valid, or the file is set and does not exist.
        """
        self._clock = clock
        self._path = settings.api_keys_file
        self._setting = parse_setting(settings.api_keys.get_secret_value())
        self._file: list[ApiKey] | None = None
        self._state: tuple[int, ...] | None = None
        self._invalid = self._problem = ""
        self._clients = _by_digest(self._setting)
        try:
            self._read()
        except ApiKeysError:
            raise
        except FileNotFoundError:
            if "api_keys_file" in settings.model_fields_set:
                message = f"{self._path}: no such file: make a key with the command keys, or unset api_keys_file"
                raise ApiKeysError(message) from None
        except OSError as error:
            raise ApiKeysError(f"{self._path}: {error.strerror}") from None
        self._next_check = clock() + CHECK_SECONDS

    @property
    def keys(self) -> list[ApiKey]:
        """The keys, those of the setting first."""
        return [*self._setting, *(self._file or [])]

    @property
    def are_set(self) -> bool:
        """Whether requests need a key."""
        return bool(self._setting) or self._file is not None

    def identify(self, token: bytes | None) -> Client | None:
        """Return whose key a token is: DEFAULT while no keys are set, None if it is nobody's."""
        if self._clock() >= self._next_check:
            self._next_check = self._clock() + CHECK_SECONDS
            self._refresh()
        if not self.are_set:
            return DEFAULT
        if token is None:
            return None
        given = digest(token)
        # A lookup in a mapping is not constant in time, but tells about hashes only, which lead to no key.
        known, client = self._clients.get(given, (bytes(len(given)), None))
        return client if hmac.compare_digest(known, given) else None

    def _refresh(self) -> None:
        """Read a file that has changed; log a problem once."""
        problem = ""
        try:
            self._read()
        except ApiKeysError as error:
            problem = str(error)
        except FileNotFoundError:
            problem = f"{self._path}: no such file" if self._file is not None else ""
        except OSError as error:
            problem = f"{self._path}: {error.strerror}"
        if problem and problem != self._problem:
            logger.error("the last API keys stay valid: %s", problem)
        elif self._problem and not problem:
            logger.info("the API keys of %s are valid again", self._path)
        self._problem = problem

    def _read(self) -> None:
        """Read the file if it has changed since the last time.

        Raises:
            OSError: It cannot be read, or is not valid.
        """
        if _state(self._path.stat()) == self._state:
            if self._invalid:
                raise ApiKeysError(self._invalid)
            return
        self._state, self._invalid = None, ""
        content, result = read(self._path)
        if abs(time.time() - result.st_mtime) > UNSETTLED_SECONDS:
            self._state = _state(result)
        try:
            keys = parse_file(self._path, content)
            self._clients = _by_digest(self._setting, keys)
        except ApiKeysError as error:
            self._invalid = str(error)
            raise
        self._file = keys


def _state(result: os.stat_result) -> tuple[int, ...]:
    """Return what is different after a change of a file, or after another one took its place."""
    return result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns, result.st_ctime_ns


def _by_digest(setting: list[ApiKey], file: Sequence[ApiKey] = ()) -> Mapping[bytes, tuple[bytes, Client]]:
    """Return the clients by the hash of their key.

    Raises:
        ApiKeysError: The file repeats a name or a key of the setting.
    """
    names, digests = {key.name for key in setting}, {key.digest for key in setting}
    for key in file:
        if key.name in names or key.digest in digests:
            raise ApiKeysError(f"the key {key.name} of the file is in the setting api_keys, too")
    return {key.digest: (key.digest, Client(key.name, key.is_admin)) for key in [*setting, *file]}
