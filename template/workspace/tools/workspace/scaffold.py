"""Make a service: render it with Copier, and add it to the inventory."""

import ast
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import yaml

from . import compose, derive, files, inventory
from .errors import WorkspaceError, last_line
from .inventory import DOMAIN, SHARED, Inventory, Service

ANSWERS = ".copier-answers.yml"
UNFINISHED = f"{ANSWERS}.part"
FOLDER = "services"
FROM_CODE = ("existing", "frontend")
"""Presets for a folder that has files already."""
HEALTH = {"existing": "", "frontend": "/"}
"""Preset -> health route; those of other presets are projects."""
PROJECT_HEALTH = "/ready"


def make(root: Path, name: str, preset: str, options: list[str]) -> Service:
    """Make a service in services/NAME. Repeat it after an interruption: it goes on where it was."""
    if problem := inventory.name_problem(name):
        raise WorkspaceError(f"NAME={name}: {problem}")
    services = inventory.read(root)
    if name in (service.name for service in services):
        raise WorkspaceError(f"NAME={name}: there is such a service in {inventory.NAME} already; choose another name")
    folder = root / FOLDER / name
    if not (folder / ANSWERS).exists():
        _render(root, folder, name, preset, options)
    services = inventory.add(services, _described(services, folder))
    derive.write(services)
    return services.named([name])[0]


def _render(root: Path, folder: Path, name: str, preset: str, options: list[str]) -> None:
    """Render a service into its folder; a new one appears there only when it is complete."""
    if not preset:
        raise WorkspaceError("PRESET is missing: give the preset of the service, such as PRESET=api")
    if preset == "workspace":
        raise WorkspaceError("PRESET=workspace: a workspace holds no other one; choose the preset of a service")
    has_files = folder.exists() and any(folder.iterdir())
    if has_files and preset not in FROM_CODE:
        raise WorkspaceError(f"{FOLDER}/{name} has files: choose another name, or PRESET=existing to keep them")
    if not has_files and preset == "existing":
        raise WorkspaceError(f"{FOLDER}/{name} has no files: copy the code there first, and repeat")
    own = answers(root)
    given = {"preset": preset, "project_name": name, "project_slug": name, "ci": "none"}
    given["image_registry"] = own.get("image_registry") or ""
    if (deploy := own.get("deploy")) and isinstance(deploy, list) and preset != "frontend":
        given["deploy"] = f"[{', '.join(deploy)}]"
    part = folder.with_name(f".{name}.part")  # the new folder; beside a folder with files, a sign that we write to it
    target = folder if has_files else part
    was_interrupted = part.exists()
    _remove(part)
    source = str(own["_src_path"])
    if ":" not in source:
        source = str((root / Path(source).expanduser()).resolve())
    data = [f"--data={key}={value}" for key, value in given.items()]
    # The answers get their name last: they show that every file is there.
    command = ["copy", "--defaults", f"--answers-file={UNFINISHED}", f"--vcs-ref={own['_commit']}"]
    command += [*data, *options, source, str(target)]
    if has_files:
        part.touch()
        if was_interrupted:
            _remove_begun(command, folder)
    done = _copier(*command, "--quiet")
    if done.returncode or has_files:
        _remove(part)
    if done.returncode:
        raise WorkspaceError(f"Copier made no service {name}: {_reason(done.stderr)}")
    (target / UNFINISHED).replace(target / ANSWERS)
    if not has_files:
        if folder.exists():
            folder.rmdir()  # empty
        target.replace(folder)


def _copier(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Copier, which asks nothing."""
    command = [sys.executable, "-m", "copier", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _remove_begun(command: list[str], folder: Path) -> None:
    """Remove the empty files that Copier would ask about: it was killed before it had written them."""
    (folder / UNFINISHED).unlink(missing_ok=True)
    planned = re.sub(r"\x1b\[\d*m", "", _copier(*command, "--pretend", "--overwrite").stderr)
    for path in re.findall(r"^ *conflict +(.+)$", planned, re.MULTILINE):
        if (file := folder / path).is_file() and not file.stat().st_size:
            file.unlink()


def _remove(path: Path) -> None:
    """Remove a file, or a folder and all that is in it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _reason(said: str) -> str:
    """Return the last line that Copier printed, without the words that Jinja puts around a refusal."""
    last = last_line(said)
    refused = re.search(r"has no attribute ('.*'|\".*\")$", last)
    return str(ast.literal_eval(refused[1])) if refused else last


def answers(folder: Path) -> dict[str, object]:
    """Return the answers of a folder that Copier made."""
    found = yaml.safe_load(files.read(folder / ANSWERS))
    if not isinstance(found, dict) or not {"_src_path", "_commit"} <= set(found):
        raise WorkspaceError(
            f"{folder.name}/{ANSWERS} lacks _src_path or _commit: restore the file from Git, and repeat"
        )
    return found


def _described(services: Inventory, folder: Path) -> Service:
    """Return the entry of services.yml for a folder that holds a service."""
    given = answers(folder)
    preset = str(given.get("preset", ""))
    config = compose.read([compose.sources(folder)[0]])
    needs = tuple(need for need in SHARED if need in config["services"])
    published = any(each.get("ports") for each in config["services"].values() if not each.get("profiles"))
    database = services.free_redis_database() if "redis" in needs else 0
    name = folder.name
    common = Service(name, f"{FOLDER}/{name}", preset, needs=needs, redis_database=database)
    if not published:
        return common
    health = str(given.get("health_route") or HEALTH.get(preset, PROJECT_HEALTH)) or "/"
    return replace(common, **_address(services, name, preset), port=services.free_port(), health=health)


def _address(services: Inventory, name: str, preset: str) -> dict[str, str]:
    """Return the place behind the proxy. Pages name their files from the root, so a front end is not below a path."""
    if preset != "frontend":
        return {"path": f"/{name}"}
    if all(each.path != "/" for each in services):
        return {"path": "/"}
    return {"host": f"{name}.{DOMAIN}"}
