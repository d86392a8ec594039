"""The answers as the template takes them: those that it asks, without the parts that it has no place for."""

from typing import Any

from adopt.findings import Finding
from adopt.template import CHOICES, asked

SERVED = {"postgres", "redis", "proxy"}
"""Services that containers of existing code can have."""
PASSWORDS = {"{database_password}": "postgres", "{broker_password}": "redis"}


def answers(findings: dict[str, Finding]) -> dict[str, Any]:
    """Return the answers that the template asks, in the order of its questions."""
    found: dict[str, Any] = {"preset": "existing", **{name: finding.value for name, finding in findings.items()}}
    found["processes"] = {name: _process(each) for name, each in found["processes"].items()}
    entry = found["api_app"] or any(each.get("port") for each in found["processes"].values())
    found["services"] = [each for each in found["services"] if each in SERVED and (each != "proxy" or entry)]
    found["environment"] = {
        name: value
        for name, value in found["environment"].items()
        if all(service in found["services"] for mark, service in PASSWORDS.items() if mark in value)
    }
    return asked({name: found[name] for name in [*CHOICES, *found] if name in found})


def _process(process: dict[str, Any]) -> dict[str, Any]:
    # By default a process waits for every service and for what runs once, which is what `depends_on` is mostly for.
    kept = {name: value for name, value in process.items() if name != "waits_for"}
    if kept.get("once"):
        kept = {name: value for name, value in kept.items() if name not in ("scale", "port", "health")}
    if " beat" in str(kept["command"]):
        kept.pop("scale", None)
    return kept
