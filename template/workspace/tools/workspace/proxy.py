"""The routes of the proxy."""

from dataclasses import dataclass

from .inventory import DOMAIN, Service


@dataclass(frozen=True)
class Route:
    """A service behind the proxy, and the port that it listens on."""

    service: Service
    port: int


def caddyfile(routes: list[Route]) -> str:
    """Return the part of the Caddyfile that leads to services, by path below the domain or by a host of their own."""
    domain = "{$DOMAIN:localhost}"
    lines = ["# Generated from services.yml.", domain + " {", "\timport site"]
    for route in routes:
        if route.service.path == "/":
            lines += ["\thandle {", f"\t\timport service {route.service.name} {route.port} /", "\t}"]
        elif path := route.service.path:
            lines += [f"\tredir {path} {path}/ 308", f"\thandle_path {path}/*" + " {"]
            lines += [f"\t\timport service {route.service.name} {route.port} {path}", "\t}"]
    if all(route.service.path != "/" for route in routes):
        lines += ["\thandle {", "\t\trespond 404", "\t}"]
    lines.append("}")
    for route in routes:
        if host := route.service.host:
            lines += ["", host.replace(DOMAIN, domain) + " {", "\timport site"]
            lines += [f"\timport service {route.service.name} {route.port} /", "}"]
    return "\n".join(lines) + "\n"
