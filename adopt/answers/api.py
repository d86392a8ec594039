"""Answers api_app, api_server and health_route."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from adopt.command_lines import CommandLine
from adopt.findings import GUESS, LIKELY, SURE, Finding, Source, Sureness
from adopt.python_code import Module, literal
from adopt.survey import Project

SERVERS = {"uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress-serve", "fastapi", "flask"}
USUAL = ["main", "app", "asgi", "wsgi", "server", "api", "application", "__init__"]
"""Names of modules that hold an application, the usual ones first."""
HEALTH = [
    r"healthz?",
    r"health[-_]?check",
    r"_?health",
    r"healthy",
    r"livez?",
    r"liveness",
    r"alive",
    r"ping",
    r"heartbeat",
    r"up",
    r"status",
    r"readyz?",
    r"ready",
]
"""Last parts of health routes, those first that say most."""
FRAMEWORKS = ("fastapi", "flask", "starlette", "quart", "litestar", "sanic", "dash", "django", "falcon", "bottle",
              "apiflask", "blacksheep", "gradio", "python-socketio", "flask-openapi3", "connexion")  # fmt: skip
"""Distributions of the applications that servers run."""
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*(\(\))?")


@dataclass(frozen=True)
class App:
    """An application that a server can import."""

    name: str
    """module:variable, from the folder that the server runs in."""
    interface: str
    """`asgi` or `wsgi`."""
    path: str
    """The file that makes it, from the root of the repository."""
    source: Source
    factory: bool = False


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the application, the server and the health route; nothing but an empty application without one."""
    apps = list(applications(project))
    app, line, sureness = choose(project, apps)
    if app is None:
        yield Finding("api_app", "", LIKELY if not apps else GUESS)
        return
    yield Finding("api_app", app.name, sureness, line.source if line else app.source)
    yield server(project, app, line)
    yield health(project, app)


def applications(project: Project) -> Iterator[App]:
    """Yield every application of the code, and factories that no module calls."""
    makers = {}
    for path, module in project.code.items():
        for made in module.apps:
            if made.inside:
                makers[f"{project.module_name(path)}.{made.inside}"] = (path, made.value)
    called: set[str] = set()
    for path, module in project.code.items():
        name = project.module_name(path)
        for made in module.apps:
            if not made.inside and made.name and "." not in made.name and made.value != "dash":
                yield App(f"{name}:{made.name}", made.value, path, Source(path, made.line))
        for made in module.made:
            if made.value.endswith(".server") and any(each.value == "dash" for each in module.apps):
                yield App(f"{name}:{made.name}", "wsgi", path, Source(path, made.line))
            full = _full(project, path, module, made.value)
            maker = makers.get(full) or _by_package(makers, full)
            if maker and "." not in made.name:
                called.add(full.rpartition(".")[2])
                yield App(f"{name}:{made.name}", maker[1], path, Source(path, made.line))
    for full, (path, interface) in makers.items():
        function = full.rpartition(".")[2]
        if function not in called and re.match(r"(create|make|get|build|init)_", function):
            name = project.module_name(path)
            yield App(
                f"{name}:{function}", interface, path, Source(path, project.code[path].functions.get(function, 0)), True
            )


def _full(project: Project, path: str, module: Module, name: str) -> str:
    head, _, rest = name.partition(".")
    full = module.names.get(head)
    here = project.module_name(path)
    if full is None:
        return f"{here}.{name}"
    if full.startswith("."):
        level = len(full) - len(full.lstrip("."))
        package = here.split(".") if path.endswith("__init__.py") else here.split(".")[:-1]
        package = package[: len(package) - level + 1]
        full = ".".join([*package, full.lstrip(".")])
    return f"{full}.{rest}" if rest else full


def _by_package(makers: dict[str, tuple[str, str]], full: str) -> tuple[str, str] | None:
    """Return the maker that a package passes on from one of its modules."""
    package, _, function = full.rpartition(".")
    matching = [
        value
        for key, value in makers.items()
        if package and key.startswith(f"{package}.") and key.endswith(f".{function}")
    ]
    return matching[0] if len(matching) == 1 else None


def served(line: CommandLine) -> str:
    """Return the application that a server's command line names; empty if it names none."""
    if line.program not in SERVERS:
        return ""
    if line.program == "flask":
        target = line.option("--app", "-A")
        return target if ":" in target else ""
    for word in line.arguments:
        if TARGET.fullmatch(word):
            return word.removesuffix("()")
    if line.program == "gunicorn":
        # Without a variable, gunicorn takes `application`.
        modules = [word for word in line.arguments if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", word)]
        return f"{modules[-1]}:application" if modules and not modules[-1].startswith("uvicorn.") else ""
    return ""


def choose(project: Project, apps: list[App]) -> tuple[App | None, CommandLine | None, Sureness]:
    """Return the application that the repository serves, the command line that says so, and how sure it is."""
    for line in project.lines:
        target = served(line)
        if line.program == "fastapi" and (
            script := next((word for word in line.arguments if word.endswith(".py")), "")
        ):
            path = posixpath.normpath(posixpath.join(line.folder, script))
            target = next((app.name for app in apps if app.path == path and not app.factory), "")
        if not target:
            continue
        if matching := next((app for app in apps if app.name == target or app.name.endswith(f".{target}")), None):
            return matching, line, LIKELY if line.origin == "readme" and len(apps) > 1 else SURE
        if module := _file(project, target.partition(":")[0]):
            interface = "wsgi" if line.program == "gunicorn" and "uvicorn" not in " ".join(line.words) else "asgi"
            return App(target, interface, module, line.source, "(" in target), line, LIKELY
    if project.dependency_files and not project.listed(*FRAMEWORKS):
        return None, None, GUESS  # a demonstration, perhaps, that no file of dependencies counts on
    for path, module in project.code.items():
        for server in module.servers:
            target = server.value if ":" in server.value else f"{project.module_name(path)}:{server.value}"
            if matching := next((app for app in apps if app.name == target), None):
                return matching, None, SURE if len(apps) == 1 else LIKELY
    real = [app for app in apps if not app.factory] or apps
    if not real:
        return None, None, LIKELY
    ranked = sorted(real, key=lambda app: (_rank(app), app.name.count("."), app.name))
    asgi = [app for app in ranked if app.path.endswith("asgi.py")]
    if len(ranked) == 2 and {posixpath.basename(app.path) for app in ranked} == {"asgi.py", "wsgi.py"}:
        prefers_asgi = project.listed("uvicorn", "daphne", "channels", "hypercorn") and asgi
        chosen = asgi[0] if prefers_asgi else next(app for app in ranked if app.path.endswith("wsgi.py"))
        return chosen, None, LIKELY
    return (
        ranked[0],
        None,
        (LIKELY if ranked[0].factory else SURE)
        if len(ranked) == 1
        else LIKELY
        if _rank(ranked[0]) < _rank(ranked[1])
        else GUESS,
    )


def _rank(app: App) -> int:
    name = posixpath.basename(app.path).removesuffix(".py")
    return USUAL.index(name) if name in USUAL else len(USUAL)


def _file(project: Project, name: str) -> str:
    for candidate in (name, f"src.{name}"):
        if candidate in project.by_name:
            return project.by_name[candidate]
    return next((path for each, path in project.by_name.items() if each.endswith(f".{name}")), "")


def server(project: Project, app: App, line: CommandLine | None) -> Finding:
    """Return the server that runs the application, of those that the template has."""
    listed = {name: project.listed(name) for name in ("uvicorn", "gunicorn", "uvicorn-worker")}
    if (
        listed["uvicorn"] is None
        and (with_server := project.listed("fastapi"))
        and with_server.extras & {"standard", "all"}
    ):
        listed["uvicorn"] = with_server
    if line and line.program == "gunicorn":
        worker = "uvicorn" in line.option("-k", "--worker-class")
        value = "gunicorn-uvicorn" if worker or app.interface == "asgi" else "gunicorn"
        # A README names more than one server; what a container runs is one.
        return Finding("api_server", value, SURE if line.origin != "readme" else LIKELY, line.source)
    if line and line.program in ("uvicorn", "fastapi"):
        return Finding(
            "api_server",
            "uvicorn",
            SURE if line.origin in ("dockerfile", "compose", "procfile") else LIKELY,
            line.source,
        )
    if app.interface == "wsgi":
        source = listed["gunicorn"].source if listed["gunicorn"] else app.source
        return Finding("api_server", "gunicorn", SURE if listed["gunicorn"] else LIKELY, source)
    if listed["uvicorn"] is None and listed["gunicorn"] is not None:
        return Finding("api_server", "gunicorn-uvicorn", LIKELY, listed["gunicorn"].source)
    source = listed["uvicorn"].source if listed["uvicorn"] else app.source
    return Finding("api_server", "uvicorn", SURE if listed["uvicorn"] and not listed["gunicorn"] else LIKELY, source)


def health(project: Project, app: App) -> Finding:
    """Return the health route: of a health check that the repository has, otherwise of the code."""
    for file in project.survey.dockerfiles:
        if project.holds(file.path) and file.health and file.health[0] != "/":
            return Finding("health_route", file.health[0].rstrip("/") or "/", SURE, file.health[1])
    for service in project.survey.services:
        if project.builds(service) and service.health and service.health[0] != "/":
            return Finding("health_route", service.health[0], SURE, service.health[1])
    best: tuple[int, int, str, Source, Sureness] | None = None
    for route, source, sureness in routes(project):
        last = route.rstrip("/").rpartition("/")[2]
        rank = next((place for place, pattern in enumerate(HEALTH) if re.fullmatch(pattern, last)), None)
        if rank is not None and "{" not in route and "<" not in route:
            entry = (rank, route.count("/"), route, source, sureness)
            if best is None or entry[:3] < best[:3]:
                best = entry
    if best is None:
        return Finding("health_route", "", LIKELY, app.source)
    return Finding("health_route", best[2], best[4], best[3])


def routes(project: Project) -> Iterator[tuple[str, Source, Sureness]]:
    """Yield the routes of the code with the prefixes of the routers that hold them."""
    for path, module in project.code.items():
        for route in module.routes:
            prefixes, certain = _prefixes(project, path, route.name, 0)
            own = module.prefixes.get(route.name, "")
            for prefix in prefixes:
                text, known = _with_settings(project, f"{prefix}{own}{route.value}")
                full = re.sub(r"/+", "/", text)
                if re.fullmatch(r"/[\w./-]*", full):
                    yield full, Source(path, route.line), GUESS if not known else SURE if certain else LIKELY


def _with_settings(project: Project, route: str) -> tuple[str, bool]:
    """Return a route with the values of settings that its prefixes name, and whether all are known."""
    known = True
    for name in re.findall(r"%(\w*)%", route):
        values = [literal(module.constants[name]) for module in project.code.values() if name in module.constants]
        text = next((value for value in values if value.startswith("/")), "")
        known = known and bool(text)
        route = route.replace(f"%{name}%", text, 1)
    return route, known


def _prefixes(project: Project, path: str, owner: str, depth: int) -> tuple[list[str], bool]:
    """Return the prefixes under which routers include the router of a module, and whether they are certain."""
    module = project.code[path]
    if depth > 5:
        return [""], False
    if any(app.name == owner for app in module.apps):
        return [""], True
    here = project.module_name(path)
    names = {f"{here}.{owner}", here if owner in ("urlpatterns", "router") else f"{here}.{owner}"}
    found: list[str] = []
    for other, each in project.code.items():
        for outer, inner, prefix in each.includes:
            full = _full(project, other, each, inner) if inner.startswith(".") or "." not in inner else inner
            if (
                full in names
                or any(full.endswith(f".{name}") for name in names)
                or (owner != "urlpatterns" and _same(names, full))
            ):
                above = _prefixes(project, other, outer, depth + 1)[0] if outer else [""]
                found += [f"{each_above}{each.prefixes.get(outer, '')}{prefix}" for each_above in above]
    if found:
        return list(dict.fromkeys(found)), True
    return [""], owner in ("urlpatterns", "app", "application")


def _same(names: set[str], full: str) -> bool:
    """Return whether a package may pass on the router of one of its modules under another path."""
    return any(name.rpartition(".")[2] == full.rpartition(".")[2] != "router" for name in names)
