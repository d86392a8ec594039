"""The program behind the commands of the Makefile."""

import argparse
import json
import shlex
import sys
from pathlib import Path

from . import changes, containers, derive, images, inventory, kubernetes, scaffold, secrets, updates
from .errors import WorkspaceError

ROOT = Path(__file__).resolve().parent.parent.parent
INTERRUPTED = 130


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Return the command and its options."""
    parser = argparse.ArgumentParser(prog="workspace", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("services", "check", "secrets"):
        commands.add_parser(name)
    for name in ("up", "dev", "down", "logs", "build", "test", "lock"):
        commands.add_parser(name).add_argument("names", nargs="*")
    commands.add_parser("images").add_argument("names", nargs="*")
    publishing = commands.add_parser("publish")
    publishing.add_argument("names", nargs="*")
    publishing.add_argument("--version", default="")
    publishing.add_argument("--image", default="", help="the repository that holds the images of services")
    cluster = commands.add_parser("kubernetes")
    cluster.add_argument("verb", choices=("render", "secrets", "diff", "apply", "wait", "rollback"))
    cluster.add_argument("names", nargs="*")
    cluster.add_argument("--overlay", default="dev")
    cluster.add_argument("--context", default="", help="of kubectl; by default its current one")
    service = commands.add_parser("service")
    service.add_argument("--name", default="")
    service.add_argument("--preset", default="")
    service.add_argument("--options", default="", help="further options of copier copy, as one text")
    update = commands.add_parser("update-services")
    update.add_argument("--names", default="")
    update.add_argument("--options", default="", help="options of a service's update, as one text")
    changed = commands.add_parser("changed")
    changed.add_argument("--since", default="")
    changed.add_argument("--gitlab", action="store_true", help="print a pipeline of GitLab")
    return parser.parse_args(arguments)


def run(given: argparse.Namespace) -> None:
    """Run one command."""
    if given.command == "service":
        service = scaffold.make(ROOT, given.name, given.preset, shlex.split(given.options))
        print(f"{service.folder} is a service now. Next: make lock up SERVICE={service.name}")
        return
    services = inventory.read(ROOT)
    if given.command == "check":
        derive.check(services)
    elif given.command == "changed":
        found = changes.since(services, given.since)
        print(changes.gitlab(found) if given.gitlab else json.dumps([service.name for service in found]))
    elif given.command == "images":
        print(images.matrix(services, services.named(given.names)))
    elif given.command == "publish":
        images.publish(services, services.named(given.names), given.version, given.image)
    elif given.command == "kubernetes":
        derive.check(services)
        chosen = services.named(given.names)
        if given.verb == "render":
            print(kubernetes.render(services, chosen, given.overlay), end="")
        else:
            kubernetes.run(services, chosen, given.verb, given.overlay, given.context)
    elif given.command == "update-services":
        changed = updates.update(ROOT, services.named(given.names.split()), shlex.split(given.options))
        print(f"\nUpdated: {', '.join(changed) or 'nothing'}")
    else:
        derive.write(services)
        run_over(services, given)


def run_over(services: inventory.Inventory, given: argparse.Namespace) -> None:
    """Run a command over services whose files are up to date."""
    if given.command == "services":
        print(inventory.table(services))
        return
    if given.command == "secrets":
        secrets.generate(services)
        return
    every = not given.names
    chosen = services.named(given.names)
    if given.command in ("up", "dev"):
        secrets.generate(services)
        if given.command == "dev" and every:
            raise WorkspaceError("SERVICE is missing: name the services to develop, such as SERVICE=docs")
        containers.up(services, chosen, every=every, mode=derive.DEVELOPMENT if given.command == "dev" else "")
    elif given.command in ("down", "logs"):
        getattr(containers, given.command)(services, chosen, every=every)
    else:
        secrets.generate(services)
        getattr(containers, given.command)(services, chosen)


def main() -> int:
    """Run the program; print one line for each problem."""
    try:
        run(parsed(sys.argv[1:]))
    except WorkspaceError as error:
        for problem in error.problems:
            print(f"workspace: {problem}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
