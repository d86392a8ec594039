"""A repository that is a system: the proposal of a workspace, with one entry for each service."""

import re
import shlex
from itertools import count
from typing import Any

import yaml

from adopt.emission import answers
from adopt.proposal import Proposal
from adopt.template import asked

SHARED = ("postgres", "redis", "bucket")
"""Services that all services of a workspace share."""
OF_FRONT_ENDS = ("frontend", "node_version", "node_package_manager", "build_command", "build_output")
"""Answers of preset frontend that are found."""
FIRST_PORT = 8001
"""Port on localhost of the first service of a workspace."""


def is_system(proposals: list[Proposal]) -> bool:
    """Return whether a repository holds several services: Python projects, or one and a front end beside it."""
    ends = front_ends(proposals)
    return len(proposals) > 1 or bool(ends and proposals[0].project.folder)


def front_ends(proposals: list[Proposal]) -> dict[str, dict[str, Any]]:
    """Return the front ends by folder; every proposal has those of the whole repository."""
    return dict(proposals[0].findings["front_ends"].value)


def inventory(proposals: list[Proposal]) -> dict[str, dict[str, Any]]:
    """Return the entries of services.yml by name."""
    found: dict[str, dict[str, Any]] = {}
    ports, databases = count(FIRST_PORT), count(1)
    for folder in sorted(front_ends(proposals), key=lambda folder: bool(re.search(r"admin|back|docs", folder))):
        name = _name(folder, found)
        # Pages name their files from the root, so a front end is not below a path.
        address = {"host": f"{name}.${{DOMAIN}}"} if found else {"path": "/"}
        found[name] = {"folder": folder, "preset": "frontend", **address, "port": next(ports), "health": "/"}
    for proposal in proposals:
        taken = answers(proposal.findings)
        name = _name(proposal.project.folder or str(taken["project_name"]), found)
        entry: dict[str, Any] = {"folder": proposal.project.folder or ".", "preset": "existing"}
        if taken["api_app"]:
            entry |= {"path": f"/{name}", "port": next(ports), "health": taken["health_route"] or "/"}
        if needs := [each for each in proposal.findings["services"].value if each in SHARED]:
            entry["needs"] = needs
        if "redis" in needs:  # its number there
            entry["redis_database"] = next(databases)
        found[name] = entry
    return found


def _name(folder: str, taken: dict[str, Any]) -> str:
    """Return a name for a service that no other one has, from the end of its folder."""
    parts = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in folder.split("/")]
    name = re.sub(r"^[^a-z]+", "", parts[-1]) or "service"
    return name if name not in taken else "-".join(parts[-2:]) if len(parts) > 1 else f"{name}-2"


def text(proposals: list[Proposal], template: str) -> str:
    """Return the proposal: services.yml, and the commands that make the workspace."""
    lines = [f"# services.yml of a workspace with {len(inventory(proposals))} services"]
    lines += [yaml.safe_dump({"services": inventory(proposals)}, sort_keys=False, default_flow_style=None).strip()]
    lines += ["# Commands that make it, from the root of the repository:"]
    lines += [f"# {shlex.join(['copier', 'copy', '--data', 'preset=workspace', template, '.'])}"]
    for folder, found in front_ends(proposals).items():
        taken = asked({"preset": "frontend", **{name: found[name] for name in OF_FRONT_ENDS if found.get(name)}})
        data = [f"{name}={value}" for name, value in taken.items()]
        words = [
            "copier",
            "copy",
            "--defaults",
            *(word for each in data for word in ("--data", each)),
            template,
            folder,
        ]
        lines.append(f"# {shlex.join(words)}")
    lines += [f"# {shlex.join(['slipway-adopt', '--yes', each.project.folder or '.'])}" for each in proposals]
    return "\n".join([*lines, "# make services"])
