"""A small local stand-in of the Hugging Face Hub: ``python -m tests.hub --folder org/name=PATH``.

It serves folders as repositories, of models and data sets alike, over the protocol that ``huggingface_hub`` speaks when
it downloads (repository information, file trees, files with ranges), with the errors of the real Hub and without Xet.
Point ``HF_ENDPOINT``, or the ``endpoint`` argument of a function, at ``Hub.endpoint``. Files are held in memory, as
they were when added.
"""

import argparse
import hashlib
import json
import re
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "a-token-of-the-local-hub"
LFS_SUFFIXES = {".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".npz", ".onnx", ".pkl", ".pt", ".pth", ".safetensors"}
LFS_BYTES = 10 * 2**20
REPO = r"/(?P<repo>[^/]+(?:/[^/]+)??)"
API = re.compile(rf"/api/(?:models|datasets){REPO}(?:/(?P<what>revision|tree)/(?P<revision>[^/]+)(?:/(?P<path>.+))?)?")
RESOLVE = re.compile(rf"(?:/datasets)?{REPO}/(?P<what>resolve)/(?P<revision>[^/]+)/(?P<path>.+)")


class Request(NamedTuple):
    """One request that was received: the path as it was sent, without the query; of a token, whether there was one."""

    method: str
    path: str
    authorization: bool
    range: str


class File(NamedTuple):
    """A file of a commit; ``oid`` is Git's name of it or, in large file storage, of the pointer to it."""

    data: bytes
    oid: str
    sha256: str = ""
    pointer_size: int = 0

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file."""
        return cls.make(path.name, path.read_bytes())

    @classmethod
    def make(cls, name: str, data: bytes) -> Self:
        """Make a file of this name; large ones and the usual kinds of weights are in large file storage."""
        if not is_large(name, len(data)):
            return cls(data, hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest())
        sha256 = hashlib.sha256(data).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n".encode()
        return cls(data, hashlib.sha1(b"blob %d\0%b" % (len(pointer), pointer)).hexdigest(), sha256, len(pointer))

    def lfs(self, name: str) -> dict[str, Any]:
        """Return the large file storage part of an answer; the name of the SHA-256 depends on the answer."""
        lfs = {name: self.sha256, "size": len(self.data), "pointerSize": self.pointer_size}
        return {"lfs": lfs} if self.sha256 else {}


def is_large(name: str, size: int) -> bool:
    """Return whether a file belongs into large file storage."""
    return PurePosixPath(name).suffix in LFS_SUFFIXES or size > LFS_BYTES


@dataclass
class Repository:
    """The commits of a repository, what its branches and tags point at, and who may read it."""

    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private: bool = False


class RefusalError(Exception):
    """An error to answer with; ``huggingface_hub`` tells them apart by the code in their headers."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        """Note the headers."""
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Code": code, "X-Error-Message": message, **headers}


class Hub(ThreadingHTTPServer):
    """The stand-in: a context manager that serves on a port until it is left."""

    request_queue_size = 64

    def __init__(
        self,
        port: int = 0,
        token: str = TOKEN,
        host: str = "127.0.0.1",
        handler: type[BaseHTTPRequestHandler] | None = None,
    ) -> None:
        """Take a port (any free one by default) of an address; ``token`` opens gated and private repositories."""
        super().__init__((host, port), handler or Handler)
        self.endpoint = f"http://{host}:{self.server_port}"
        self.token = token
        self.requests: list[Request] = []
        self.repositories: dict[str, Repository] = {}
        self._cuts: list[tuple[str, int, bool]] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Stop; from here on connections are refused."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def add(
        self,
        repo: str,
        folder: Path,
        revisions: Iterable[str] | Mapping[str, str] = ("main",),
        *,
        gated: bool = False,
        private: bool = False,
    ) -> str:
        """Serve a folder as a commit of a repository, and return the commit's id, which follows from its files.

        ``revisions`` are the branches and tags that are to point at this commit. A mapping names the commit of each;
        one that the repository does not have yet gets the files of this folder. ``main`` is the first commit unless
        said otherwise. To add to a repository again gives it one more commit, and sets ``gated`` and ``private`` anew.
        """
        paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        hidden = (".git/", ".cache/")
        files = {name: File.read(path) for name, path in paths.items() if not name.startswith(hidden)}
        listing = "".join(f"{file.sha256 or file.oid} {name}\n" for name, file in files.items())
        commit = hashlib.sha1(listing.encode()).hexdigest()
        refs = dict(revisions) if isinstance(revisions, Mapping) else dict.fromkeys(revisions, commit)
        wrong = [name for name in refs.values() if not re.fullmatch("[0-9a-f]{40}", name)]
        if wrong or not files:
            raise ValueError(f"not the id of a commit: {wrong[0]}" if wrong else f"no files in {folder}")
        with self._lock:
            repository = self.repositories.setdefault(repo, Repository())
            repository.gated, repository.private = gated, private
            for name in (commit, *refs.values()):
                repository.commits.setdefault(name, files)
            repository.refs = {"main": commit} | repository.refs | refs
        return commit

    def cut(self, path_suffix: str, after_bytes: int, *, times: int = 1, reset: bool = False) -> None:
        """Break off the next downloads of a file, each after so many bytes.

        The connection just ends, which makes ``huggingface_hub`` ask, a second later, for what it lacks (it keeps
        whole chunks, of 10 MB); with ``reset`` the connection is reset, which makes the download fail.
        """
        with self._lock:
            self._cuts += [(path_suffix, after_bytes, reset)] * times

    def downloaded(self) -> list[str]:
        """Return the files that were asked for with GET, as paths inside their repositories, in order."""
        matches = (RESOLVE.fullmatch(request.path) for request in self.requests if request.method == "GET")
        return [unquote(match["path"]) for match in matches if match]

    def take_cut(self, path: str) -> tuple[int | None, bool]:
        """After how many bytes to break off this download, if at all, and whether with a reset."""
        with self._lock:
            for index, (suffix, after, reset) in enumerate(self._cuts):
                if path.endswith(suffix):
                    del self._cuts[index]
                    return after, reset
        return None, False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        """Record a request and answer it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, sent = urlsplit(self.path).path, self.headers
        self.server.requests.append(Request(self.command, path, "Authorization" in sent, sent.get("Range", "")))
        try:
            self.answer()
        except RefusalError as refusal:
            self.send(json.dumps({"error": str(refusal)}).encode(), refusal.status, refusal.headers)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def answer(self) -> None:
        """Answer a request, or refuse. The files of a gated repository may be listed, only not downloaded."""
        address = urlsplit(self.path)
        match = API.fullmatch(address.path) or RESOLVE.fullmatch(address.path)
        if self.command not in ("GET", "HEAD") or not match:
            raise RefusalError(404, "", "Sorry, we can't find the page you are looking for.")
        repo, revision, path = (unquote(match[name] or "") for name in ("repo", "revision", "path"))
        repository = self.server.repositories.get(repo)
        authorization = self.headers.get("Authorization")
        trusted = authorization == f"Bearer {self.server.token}"  # any other is taken for one of somebody else
        if not repository or (repository.private and not trusted):
            # The client needs no code to understand this 401 over HTTPS, but it does over HTTP.
            status, message = (404, "Repository not found") if authorization else (401, "Invalid username or password.")
            raise RefusalError(status, "RepoNotFound", message)
        commit = repository.refs.get(revision or "main", revision)
        if commit not in repository.commits:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if repository.gated and not trusted and match["what"] == "resolve":
            why = "you are not in the authorized list." if authorization else "you must be authenticated to access it."
            raise RefusalError(
                403 if authorization else 401, "GatedRepo", f"Access to model {repo} is restricted and {why}"
            )
        if match["what"] == "resolve":
            self.send_file(repository.commits[commit].get(path), commit)
            return
        query = {name: values[-1].lower() in ("1", "true") for name, values in parse_qs(address.query).items()}
        if match["what"] == "tree":
            found: Any = tree(repository.commits[commit], path, query.get("recursive", False))
        else:
            found = info(repo, repository, commit, query.get("blobs", False))
        self.send(json.dumps(found).encode())

    def send_file(self, file: File | None, commit: str) -> None:
        """Send a file, or the part of it that is asked for."""
        if not file:
            raise RefusalError(404, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": commit})
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes", "ETag": f'"{file.sha256 or file.oid}"'}
        size = len(file.data)
        if file.sha256:
            headers |= {"X-Linked-Size": str(size), "X-Linked-ETag": headers["ETag"]}
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        first, last = asked.groups() if asked else ("", "")
        if not first and not last:
            self.send(file.data, headers=headers)
            return
        start = int(first) if first else max(size - int(last), 0)
        end = min(int(last) + 1, size) if first and last else size
        if start >= end:
            raise RefusalError(416, "", "Range not satisfiable", **{"Content-Range": f"bytes */{size}"})
        self.send(file.data[start:end], 206, headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"})

    def send(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send an answer, of which HEAD gets no body, or break it off; then close the connection."""
        kind = "application/octet-stream" if "ETag" in (headers or {}) else "application/json"
        self.send_response(status)
        fixed = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in (fixed | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        after, reset = self.server.take_cut(unquote(urlsplit(self.path).path))
        self.wfile.write(body[:after])
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def info(repo: str, repository: Repository, commit: str, blobs: bool) -> dict[str, Any]:
    """Return the Hub's answer about a repository at a commit."""
    siblings: list[dict[str, Any]] = []
    no_tags: list[str] = []
    for name, file in repository.commits[commit].items():
        blob = {"size": len(file.data), "blobId": file.oid} | file.lfs("sha256")
        siblings.append({"rfilename": name} | (blob if blobs else {}))
    access = {"private": repository.private, "gated": "auto" if repository.gated else False, "disabled": False}
    return {"id": repo, "modelId": repo, "sha": commit, "tags": no_tags, "siblings": siblings} | access


def tree(files: Mapping[str, File], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Return the folders and files below a folder of a commit ("" for its root)."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
    if folder and folder not in folders:
        raise RefusalError(404, "EntryNotFound", f"{folder} does not exist on this revision")
    entries: list[dict[str, Any]] = []
    for name in sorted(folders):
        entries.append({"type": "directory", "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0, "path": name})
    for name, file in files.items():
        entries.append({"type": "file", "oid": file.oid, "size": len(file.data), "path": name} | file.lfs("oid"))
    start = f"{folder}/" if folder else ""
    below = [entry for entry in entries if entry["path"].startswith(start)]
    return [entry for entry in below if recursive or "/" not in entry["path"].removeprefix(start)]


def main(arguments: list[str] | None = None) -> int:
    """Serve folders until SIGTERM or Ctrl-C; the first line printed is the endpoint, the others are the commits."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--folder", action="append", required=True, metavar="REPO[@REVISION]=PATH", help="(repeatable)")
    parser.add_argument("--gated", action="append", default=[], metavar="REPO", help="needs the token (repeatable)")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--token", default=TOKEN, help="default: %(default)s")
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), Hub(options.port, options.token) as hub:
        lines = [hub.endpoint]
        for item in options.folder:
            name, _, path = item.partition("=")
            repo, _, revision = name.partition("@")
            if not repo or not Path(path).is_dir():
                parser.error(f"--folder {item}: not REPO[@REVISION]=PATH with the path of a folder")
            commit = hub.add(repo, Path(path), [revision or "main"], gated=repo in options.gated)
            lines.append(f"{repo} {revision or 'main'} {commit}")
        print(*lines, sep="\n", flush=True)
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
