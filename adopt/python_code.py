"""Facts about a Python file, from its syntax tree. Nothing is imported or executed."""

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

APPS = {
    "fastapi.FastAPI": "asgi",
    "starlette.applications.Starlette": "asgi",
    "quart.Quart": "asgi",
    "litestar.Litestar": "asgi",
    "sanic.Sanic": "asgi",
    "blacksheep.Application": "asgi",
    "falcon.asgi.App": "asgi",
    "falcon.App": "wsgi",
    "flask.Flask": "wsgi",
    "apiflask.APIFlask": "wsgi",
    "bottle.Bottle": "wsgi",
    "dash.Dash": "dash",
    "django.core.asgi.get_asgi_application": "asgi",
    "django.core.wsgi.get_wsgi_application": "wsgi",
    "gradio.mount_gradio_app": "asgi",
    "socketio.ASGIApp": "asgi",
}
"""Calls that make an application for a server, and the interface of what they make."""

PARSERS = {
    "argparse.ArgumentParser",
    "optparse.OptionParser",
    "click.command",
    "click.group",
    "typer.Typer",
    "typer.run",
    "fire.Fire",
    "hydra.main",
    "absl.app.run",
    "transformers.HfArgumentParser",
    "jsonargparse.ArgumentParser",
    "jsonargparse.CLI",
    "simple_parsing.ArgumentParser",
    "tyro.cli",
    "docopt.docopt",
    "cyclopts.App",
    "draccus.wrap",
    "lightning.pytorch.cli.LightningCLI",
    "pytorch_lightning.cli.LightningCLI",
    "configargparse.ArgumentParser",
    "rich_click.command",
    "rich_click.group",
}
"""Calls and decorators that read arguments of the command line."""

QUEUES = {
    "celery.Celery": "celery",
    "rq.Queue": "rq",
    "rq.Worker": "rq-worker",
    "huey.RedisHuey": "huey",
    "dramatiq.actor": "dramatiq",
    "apscheduler.schedulers.blocking.BlockingScheduler": "scheduler",
    "streamlit.title": "streamlit",
    "streamlit.set_page_config": "streamlit",
    "streamlit.write": "streamlit",
    "streamlit.header": "streamlit",
    "gradio.Interface": "gradio",
    "gradio.Blocks": "gradio",
    "gradio.ChatInterface": "gradio",
}
"""Calls that make a part of a system, and its kind."""

VERBS = {"get", "post", "put", "delete", "patch", "route", "api_route", "head"}
MODEL_CALLS = {
    "from_pretrained",
    "SentenceTransformer",
    "CrossEncoder",
    "pipeline",
    "snapshot_download",
    "hf_hub_download",
    "WhisperModel",
    "cached_download",
}
WRITES = {
    "makedirs",
    "mkdir",
    "to_csv",
    "to_parquet",
    "to_json",
    "to_excel",
    "to_pickle",
    "save",
    "savetxt",
    "savez",
    "save_pretrained",
    "save_model",
    "savefig",
    "dump",
    "imwrite",
    "write_text",
    "write_bytes",
    "FileHandler",
    "RotatingFileHandler",
    "SummaryWriter",
    "save_file",
    "to_feather",
    "imsave",
    "write_image",
    "CSVLogger",
    "TensorBoardLogger",
}
READS = {
    "read_csv",
    "read_parquet",
    "read_json",
    "read_excel",
    "read_table",
    "load",
    "loadtxt",
    "imread",
    "listdir",
    "scandir",
    "glob",
    "iglob",
    "load_from_disk",
    "load_model",
    "read_text",
    "read_bytes",
    "ImageFolder",
    "load_file",
    "read_feather",
    "StaticFiles",
    "Jinja2Templates",
    "load_weights",
    "InferenceSession",
}
WRITTEN_NAME = re.compile(
    r"(?i)(^|_|-)(out(put)?s?|save|logs?|log_dir|checkpoints?|ckpts?|results?|runs?|artifacts?|uploads?|exports?|reports?|dest|"
    r"media(?=_(root|dir|path|folder))|save_to)"
    r"(_|-|$)"
)
READ_NAME = re.compile(r"(?i)(^|_|-)(data(set)?s?|inputs?|train|raw|csv|corpus|configs?|templates?|static)(_|-|$)")
RELATIVE = re.compile(r"(\./)?[A-Za-z_][\w.@+-]*(/[\w.@+ -]*)*")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*")
FILE = re.compile(
    r"(?i)\.(pt|pth|bin|ckpt|onnx|pkl|joblib|h5|keras|txt|json|ya?ml|csv|safetensors|gguf|tar|gz|zip|py)$|^(models?|data)/"
)
"""Paths of files, which look like names of models."""
MODEL_NAME = re.compile(r"(?i)(^|_)(model|checkpoint|pretrained|repo_id|hf_repo)(_|$|id)")
PLACES = {
    "makedirs",
    "mkdir",
    "Path",
    "PurePath",
    "join",
    "listdir",
    "scandir",
    "StaticFiles",
    "Jinja2Templates",
    "load_from_disk",
}
"""Calls whose argument is a path even without a slash."""
PLACE_NAME = re.compile(r"(?i)(dir|directory|path|folder|root|dest|out|outputs?|uploads?)$")
"""Names of settings whose value is a place even without a slash."""
TAKES_DEFAULT = {
    "add_argument",
    "Option",
    "Argument",
    "option",
    "argument",
    "Field",
    "field",
    "getenv",
    "get",
    "config",
}
INTERESTING = re.compile(
    r"__main__|\b(FastAPI|Starlette|Quart|Litestar|Sanic|Flask|APIFlask|Bottle|Dash|get_[aw]sgi_application|falcon|"
    r"create_app|get_app|make_app|uvicorn|include_router|register_blueprint|APIRouter|Blueprint|urlpatterns|"
    r"ArgumentParser|click|typer|fire|hydra|absl|tyro|Celery|rq|huey|dramatiq|apscheduler|streamlit|gradio|"
    r"from_pretrained|SentenceTransformer|CrossEncoder|snapshot_download|hf_hub_download|pipeline|"
    r"getenv|environ|makedirs|BaseSettings|setup|ASGIApp|mount_gradio_app)\b|\.(get|post|route)\(\s*['\"]/|"
    r"\bopen\(|\bPath\(|\b(to|read)_(csv|parquet|json)\(|\bsave\w*\(|_(dir|DIR|path|PATH|folder|FOLDER)\b\s*[:=]"
)
"""Words without which a file holds no fact that its tree would tell."""
IMPORT = re.compile(
    r"^(?:from[ \t]+(\.*[\w.]*)[ \t]+import\b|import[ \t]+([\w.]+(?:[ \t]*,[ \t]*[\w.]+)*))", re.MULTILINE
)


@dataclass(frozen=True)
class Import:
    """An import of a module."""

    name: str
    """The full dotted name; of `from a import b` it is a. Relative imports begin with dots."""
    line: int
    optional: bool = False
    """Whether the code handles its absence, or imports it only inside a function."""


@dataclass(frozen=True)
class Named:
    """Something with a name, or a text, on a line."""

    name: str
    value: str
    line: int
    inside: str = ""
    """The function that holds it; empty at the level of the module."""


@dataclass(frozen=True)
class PathUse:
    """A literal path."""

    path: str
    line: int
    way: str = ""
    """`write`, `read`, or empty where the code does not say."""


@dataclass
class Module:
    """What a Python file says."""

    path: str
    imports: list[Import] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Names that imports bind, and their full names."""
    broken: int = 0
    """The line of a syntax error."""
    guard: int = 0
    """The line of `if __name__ == "__main__"`."""
    guarded_calls: set[str] = field(default_factory=set)
    parser: str = ""
    """What reads the command line."""
    parser_line: int = 0
    needs_arguments: bool = False
    apps: list[Named] = field(default_factory=list)
    """Applications: variable and interface."""
    made: list[Named] = field(default_factory=list)
    """Variables of the module that a function makes, such as `app = create_app()`."""
    functions: dict[str, int] = field(default_factory=dict)
    routes: list[Named] = field(default_factory=list)
    """Routes: variable of the router and path."""
    includes: list[tuple[str, str, str]] = field(default_factory=list)
    """Routers in others: variable of the outer, name of the inner, prefix."""
    prefixes: dict[str, str] = field(default_factory=dict)
    """Prefixes that routers give to their routes."""
    servers: list[Named] = field(default_factory=list)
    """Calls that start a server: its name and the application or port."""
    ports: list[tuple[int, int]] = field(default_factory=list)
    parts: list[Named] = field(default_factory=list)
    """Queues, schedulers and interfaces: variable and kind."""
    paths: list[PathUse] = field(default_factory=list)
    models: list[Named] = field(default_factory=list)
    environment: list[Named] = field(default_factory=list)
    """Environment variables and their defaults."""
    setup: ast.Call | None = None
    """The call of setuptools' setup()."""
    constants: dict[str, ast.expr] = field(default_factory=dict)


def read(path: str, text: str, whole: bool | None = None) -> Module:
    """Return the facts of a Python file.

    Args:
        path: the file, for the result.
        text: its content.
        whole: whether to read more than its imports; by default, if a word in it promises more.
    """
    module = Module(path)
    if not (INTERESTING.search(text) if whole is None else whole):
        for found in IMPORT.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            for name in (found[1] or found[2]).split(","):
                module.imports.append(Import(name.strip(), line))
        return module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        _Reader(module).visit(tree, "", False)
    except SyntaxError as error:
        module.broken = error.lineno or 1
    except (ValueError, RecursionError, MemoryError):  # null bytes, or nested too deeply: nothing is known of it
        return Module(path)
    return module


def literal(node: ast.AST | None) -> str:
    """Return the text of a string literal, or the beginning of an f-string before its first value."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
        return str(node.values[0].value)
    return ""


def dotted(node: ast.AST | None) -> str:
    """Return a name with its dots; empty for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """Return the first of the named arguments of a call."""
    return next((each.value for each in call.keywords if each.arg in names), None)


class _Reader:
    def __init__(self, module: Module) -> None:
        self.module = module

    def visit(self, node: ast.AST, inside: str, optional: bool) -> None:
        """Note what a node says, then its children.

        Args:
            node: a node of the tree.
            inside: the function that holds it; empty at the level of the module.
            optional: whether the code does without what it imports here.
        """
        handler = HANDLERS.get(type(node))
        if handler:
            inside, optional = handler(self, node, inside, optional)
        for name in node._fields:
            value = getattr(node, name, None)
            children: list[Any] = value if isinstance(value, list) else [value]
            for child in children:
                if type(child) not in LEAVES:
                    self.visit(child, inside, optional)

    def import_names(self, node: ast.Import, inside: str, optional: bool) -> tuple[str, bool]:
        """Note `import a.b as c`."""
        for name in node.names:
            self.module.imports.append(Import(name.name, node.lineno, optional or bool(inside)))
            top = name.name.split(".")[0]
            self.module.names[name.asname or top] = name.name if name.asname else top
        return inside, optional

    def import_from(self, node: ast.ImportFrom, inside: str, optional: bool) -> tuple[str, bool]:
        """Note `from a import b`."""
        origin = "." * node.level + (node.module or "")
        self.module.imports.append(Import(origin, node.lineno, optional or bool(inside)))
        joint = "" if origin.endswith(".") else "."
        for name in node.names:
            self.module.names[name.asname or name.name] = f"{origin}{joint}{name.name}"
        return inside, optional

    def condition(self, node: ast.If, inside: str, optional: bool) -> tuple[str, bool]:
        """Note `if __name__ == "__main__"`; what only a checker of types imports is optional."""
        self._guard(node)
        return inside, optional or "TYPE_CHECKING" in dotted(node.test)

    def attempt(self, node: ast.Try, inside: str, optional: bool) -> tuple[str, bool]:
        """Note that imports are optional whose failure is handled."""
        return inside, optional or any(_handles_import(handler) for handler in node.handlers)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, inside: str, optional: bool) -> tuple[str, bool]:
        """Note a function with its decorators and defaults."""
        self._defaults(node.args)
        if not inside:
            self.module.functions[node.name] = node.lineno
        for each in node.decorator_list:
            self._decorator(each)
        return inside or node.name, optional

    def assignment(self, node: ast.Assign | ast.AnnAssign, inside: str, optional: bool) -> tuple[str, bool]:
        """Note a value with its name."""
        self._assignment(node, inside)
        return inside, optional

    def call(self, node: ast.Call, inside: str, optional: bool) -> tuple[str, bool]:
        """Note a call."""
        self._call(node, inside)
        return inside, optional

    def division(self, node: ast.BinOp, inside: str, optional: bool) -> tuple[str, bool]:
        """Note `FOLDER / "name"`."""
        left, name = node.left, literal(node.right)
        of_path = isinstance(left, ast.Call) and dotted(left.func).endswith("Path")
        if isinstance(node.op, ast.Div) and name and not of_path and not isinstance(left, ast.BinOp):
            self._path(name, node.lineno, "")
        return inside, optional

    def subscript(self, node: ast.Subscript, inside: str, optional: bool) -> tuple[str, bool]:
        """Note `os.environ["NAME"]`."""
        if dotted(node.value) == "os.environ" and literal(node.slice):
            self.module.environment.append(Named(literal(node.slice), "", node.lineno))
        return inside, optional

    def _defaults(self, arguments: ast.arguments) -> None:
        """Note the defaults of arguments, which are options of a program where typer or fire reads them."""
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = [*zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)]
        pairs += [
            (name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value
        ]
        for argument, value in pairs:
            first = value.args[0] if isinstance(value, ast.Call) and value.args else value
            if literal(first):
                self._named_text(argument.arg, literal(first), first.lineno)

    def _full(self, name: str) -> str:
        head, _, rest = name.partition(".")
        full = self.module.names.get(head, head)
        return f"{full}.{rest}" if rest else full

    def _guard(self, node: ast.If) -> None:
        test = node.test
        if not isinstance(test, ast.Compare) or len(test.comparators) != 1:
            return
        if "__name__" in (dotted(test.left), dotted(test.comparators[0])) and "__main__" in (
            literal(test.left),
            literal(test.comparators[0]),
        ):
            self.module.guard = node.lineno
            for each in ast.walk(node):
                if isinstance(each, ast.Call):
                    self.module.guarded_calls.add(self._full(dotted(each.func)))

    def _decorator(self, node: ast.expr) -> None:
        call = node if isinstance(node, ast.Call) else None
        name = dotted(call.func if call else node)
        owner, _, verb = name.rpartition(".")
        if call and owner and verb in VERBS and call.args and literal(call.args[0]).startswith("/"):
            self.module.routes.append(Named(owner, literal(call.args[0]), node.lineno))
        self._parser(self._full(name), node.lineno)
        if self._full(name) == "dramatiq.actor":
            self.module.parts.append(Named("", "dramatiq", node.lineno))

    def _parser(self, full: str, line: int) -> None:
        if full in PARSERS and not self.module.parser:
            self.module.parser, self.module.parser_line = full, line

    def _assignment(self, node: ast.Assign | ast.AnnAssign, inside: str) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [name for target in targets if (name := dotted(target))]
        value = node.value
        if not names or value is None:
            return
        if not inside:
            self.module.constants.update(dict.fromkeys(names, value))
        text = literal(value)
        if text:
            self._named_text(names[0], text, node.lineno)
        if isinstance(value, ast.Await):
            value = value.value
        if not isinstance(value, ast.Call):
            if dotted(value).endswith(".server") and not inside:
                self.module.made.append(Named(names[0], dotted(value), node.lineno))
            return
        callee = self._full(dotted(value.func))
        if callee in APPS:
            self.module.apps.append(Named(names[0], APPS[callee], node.lineno, inside))
        elif not inside and dotted(value.func):
            self.module.made.append(Named(names[0], dotted(value.func), node.lineno))
        if callee in QUEUES:
            self.module.parts.append(Named(names[0], QUEUES[callee], node.lineno, inside))
        if callee.endswith((".APIRouter", ".Blueprint", "APIBlueprint")):
            self.module.prefixes[names[0]] = literal(keyword(value, "prefix", "url_prefix"))

    def _named_text(self, name: str, text: str, line: int) -> None:
        name = name.rpartition(".")[2]
        if MODEL_NAME.search(name) and HUB_ID.fullmatch(text) and not FILE.search(text):
            self.module.models.append(Named(name, text, line))
        elif re.fullmatch(r"[\w-]+", text) and not PLACE_NAME.search(name):
            return
        elif WRITTEN_NAME.search(name) or READ_NAME.search(name) or re.search(r"(?i)(dir|path|folder|file)$", name):
            self._path(text, line, _way(name))
        elif "/" in text:
            self._path(text, line, "")

    def _call(self, call: ast.Call, inside: str) -> None:
        name = dotted(call.func)
        last = name.rpartition(".")[2] or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
        full = self._full(name)
        first = call.args[0] if call.args else None
        self._parser(full, call.lineno)
        if full in QUEUES and not any(part.line == call.lineno for part in self.module.parts):
            self.module.parts.append(Named("", QUEUES[full], call.lineno, inside))
        if full in APPS and inside:
            self.module.apps.append(Named("", APPS[full], call.lineno, inside))
        self._web(call, name, last, full, first)
        if last == "add_argument" or last == "argument":
            self._argument(call)
        self._environment(call, full)
        self._files(call, last)
        if last in MODEL_CALLS:
            self._model(call, last)
        if full.endswith("setup") and (full.startswith(("setuptools", "distutils")) or full == "setup"):
            self.module.setup = call

    def _web(self, call: ast.Call, name: str, last: str, full: str, first: ast.expr | None) -> None:
        owner = name.rpartition(".")[0]
        if last in ("include_router", "register_blueprint") and first is not None:
            given = keyword(call, "prefix", "url_prefix")
            # A prefix from settings is known by its name alone.
            prefix = literal(given) or f"%{dotted(given).rpartition('.')[2]}%" if given is not None else ""
            self.module.includes.append((owner, self._full(dotted(first)), prefix))
        elif last in ("add_api_route", "add_url_rule", "add_route", "Route") and literal(first).startswith("/"):
            self.module.routes.append(Named(owner, literal(first), call.lineno))
        elif last in ("path", "re_path") and "django" in full:
            inner = call.args[1] if len(call.args) > 1 else None
            if isinstance(inner, ast.Call) and dotted(inner.func) == "include":
                target = literal(inner.args[0]) if inner.args else ""
                self.module.includes.append(("urlpatterns", target, "/" + literal(first).rstrip("/")))
            else:
                self.module.routes.append(Named("urlpatterns", "/" + literal(first).lstrip("^/"), call.lineno))
        if full in ("uvicorn.run", "waitress.serve", "hypercorn.run", "granian.Granian"):
            app = literal(first) or dotted(first)
            self.module.servers.append(Named(full.split(".")[0], app, call.lineno))
        elif last == "run" and owner and any(app.name == owner for app in self.module.apps):
            self.module.servers.append(Named("run", owner, call.lineno))
        else:
            return
        port = keyword(call, "port")
        if isinstance(port, ast.Constant) and isinstance(port.value, int):
            self.module.ports.append((port.value, call.lineno))

    def _argument(self, call: ast.Call) -> None:
        flags = [literal(each) for each in call.args]
        required = keyword(call, "required")
        nargs = keyword(call, "nargs")
        optional = literal(nargs) in ("?", "*") or keyword(call, "default") is not None
        if (isinstance(required, ast.Constant) and required.value is True) or (
            flags and flags[0] and not flags[0].startswith("-") and not optional
        ):
            self.module.needs_arguments = True

    def _environment(self, call: ast.Call, full: str) -> None:
        if full in ("os.getenv", "os.environ.get", "environ.get", "getenv") and call.args and literal(call.args[0]):
            default = literal(call.args[1]) if len(call.args) > 1 else ""
            self.module.environment.append(Named(literal(call.args[0]), default, call.lineno))
            if default:
                self._named_text(literal(call.args[0]), default, call.lineno)

    def _files(self, call: ast.Call, last: str) -> None:
        if last in TAKES_DEFAULT:
            name = next((literal(each) for each in call.args if literal(each)), "").lstrip("-").replace("-", "_")
            default = keyword(call, "default")
            if isinstance(default, ast.Call) and default.args:
                default = default.args[0]
            if name and literal(default):
                self._named_text(name, literal(default), call.lineno)
            return
        for each in call.keywords:
            if each.arg and literal(each.value):
                self._named_text(each.arg, literal(each.value), call.lineno)
        way = "write" if last in WRITES else "read" if last in READS else ""
        if last == "open":
            mode = literal(call.args[1]) if len(call.args) > 1 else literal(keyword(call, "mode"))
            way = "write" if set(mode) & set("wax") else "read"
        if not way and last not in ("Path", "PurePath", "join"):
            return
        for each in call.args[: 1 if last == "open" else 3]:
            if isinstance(each, ast.Call) and dotted(each.func).endswith("join") and each.args:
                each = each.args[0]
            if (text := literal(each)) and (last in PLACES or re.search("[/.]", text)):
                self._path(text, call.lineno, way)
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
            inner = call.func.value
            if dotted(inner.func).endswith("Path") and inner.args and literal(inner.args[0]):
                self._path(literal(inner.args[0]), call.lineno, way)

    def _path(self, text: str, line: int, way: str) -> None:
        if len(text) < 200 and RELATIVE.fullmatch(text) and not text.startswith(("./.", "http")):
            self.module.paths.append(PathUse(text.removeprefix("./"), line, way))

    def _model(self, call: ast.Call, last: str) -> None:
        values = [keyword(call, "model", "repo_id", "model_name_or_path", "pretrained_model_name_or_path")]
        values += [] if last == "pipeline" else call.args[:1]
        for value in values:
            direct = literal(value)
            text = direct or literal(self.module.constants.get(dotted(value)))
            plain = last in ("SentenceTransformer", "from_pretrained", "pipeline") and re.fullmatch(r"[\w.-]+", direct)
            if (HUB_ID.fullmatch(text) and not FILE.search(text)) or plain:
                self.module.models.append(Named(last, text, call.lineno))


HANDLERS: dict[type, Callable[..., tuple[str, bool]]] = {
    ast.Import: _Reader.import_names,
    ast.ImportFrom: _Reader.import_from,
    ast.If: _Reader.condition,
    ast.Try: _Reader.attempt,
    ast.FunctionDef: _Reader.function,
    ast.AsyncFunctionDef: _Reader.function,
    ast.Assign: _Reader.assignment,
    ast.AnnAssign: _Reader.assignment,
    ast.Call: _Reader.call,
    ast.BinOp: _Reader.division,
    ast.Subscript: _Reader.subscript,
}
"""What notes each kind of node; it returns the function and whether imports are optional, for the children."""
_WITHOUT_CHILDREN = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
LEAVES = {
    *(str, int, float, complex, bool, bytes, type(None), type(...)),
    *(ast.Name, ast.Constant, ast.alias, ast.arguments, ast.Pass, ast.Global, ast.Nonlocal),
    *(kind for group in _WITHOUT_CHILDREN for kind in group.__subclasses__()),
}
"""Kinds of nodes and values that hold nothing to note."""


def _handles_import(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind) in ("ImportError", "ModuleNotFoundError", "Exception") for kind in kinds)


def _way(name: str) -> str:
    if WRITTEN_NAME.search(name):
        return "write"
    return "read" if READ_NAME.search(name) else ""


def strings(node: ast.AST | None) -> Iterator[str]:
    """Yield the texts of a literal list, tuple or set."""
    for each in node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []:
        if literal(each):
            yield literal(each)
