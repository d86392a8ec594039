"""Generate the passwords of shared infrastructure, and have services generate theirs."""

import secrets
import subprocess
from pathlib import Path

from .errors import WorkspaceError, last_line
from .files import write
from .inventory import Inventory

FOLDER = "secrets"
KEYS = {"bucket_credentials": "app", "trainer_credentials": "trainer"}
"""Files in the format of AWS credentials, and their access keys."""
SCRIPT = "docker/secrets.sh"


def generate(inventory: Inventory) -> None:
    """Generate each password that does not exist.

    Only the owner can enter the folder; the files in it are readable, because containers read them under other UIDs.
    """
    folder = inventory.root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for name in _names(inventory):
        if not (folder / name).exists() or not (folder / name).stat().st_size:
            write(folder / name, _content(name))
    for service in inventory:
        script = inventory.root / service.folder / SCRIPT
        if script.is_file():
            _run(script)


def _names(inventory: Inventory) -> list[str]:
    needs = {need for service in inventory for need in service.needs}
    names = [f"{service.name}.database_password" for service in inventory if "postgres" in service.needs]
    names += ["postgres_password"] if "postgres" in needs else []
    names += ["redis_password"] if "redis" in needs else []
    return names + (list(KEYS) if "bucket" in needs else [])


def _content(name: str) -> str:
    password = secrets.token_hex(32)
    if key := KEYS.get(name):
        return f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {password}"
    return password


def _run(script: Path) -> None:
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True)
    if done.returncode:
        raise WorkspaceError(f"{script}: {last_line(done.stderr)}")
