"""The stand-in of the Hugging Face Hub that also takes models: repositories, commits, large files and tags.

Large files arrive by the protocol of Git LFS, which ``huggingface_hub`` speaks with HF_HUB_DISABLE_XET=1: Xet needs a
content-addressed store, of which there is no stand-in.
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

import yaml

from .hub import TOKEN, File, Handler, Hub, RefusalError, Repository, is_large

READER = "a-token-that-may-read"

LICENSES = {"apache-2.0", "mit", "bsd-3-clause", "other"}
"""Some of the names that the hub knows."""

MODEL = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/(?P<what>refs|preupload|commit|tag)(?:/(?P<revision>[^/?]+))?")
BATCH = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
OBJECT = re.compile(r"/lfs/(?P<oid>[0-9a-f]{64})")


class ModelHub(Hub):
    """The stand-in: TOKEN may write, READER may not, and any other token is unknown."""

    def __init__(self) -> None:
        """Take a free port."""
        super().__init__(handler=ModelHandler)
        self.objects: dict[str, bytes] = {}
        """Large files that have arrived, by their SHA-256."""
        self.messages: list[str] = []
        """The message of each commit that was made here."""
        self.refused: dict[str, int] = {}
        """Part of a path -> the status that requests to it are answered with."""
        self.hold = False
        """Whether uploads of large files wait for `release`."""
        self.held, self.release = threading.Event(), threading.Event()

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a repository at a branch or tag."""
        repository = self.repositories[repo]
        return {name: file.data for name, file in repository.commits[repository.refs[revision]].items()}

    def tags(self, repo: str) -> set[str]:
        """Return the tags of a repository."""
        return self.repositories[repo].refs.keys() - {"main"}

    def create(self, repo: str, private: bool) -> None:
        """Create a repository with the file that the hub puts into a new one."""
        first = {".gitattributes": File.make(".gitattributes", b"*.safetensors filter=lfs\n")}
        self.repositories[repo] = Repository({"0" * 40: first}, {"main": "0" * 40}, private=private)

    def commit(self, repo: str, lines: list[dict[str, Any]]) -> str:
        """Apply a commit as a whole, or refuse it, and return its id."""
        repository = self.repositories[repo]
        [header] = [line["value"] for line in lines if line["key"] == "header"]
        parent = repository.refs["main"]
        if header.get("parentCommit", parent) != parent:
            raise RefusalError(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(repository.commits[parent])
        for line in lines:
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = File.make(value["path"], base64.b64decode(value["content"]))
            elif key == "lfsFile":
                if value["oid"] not in self.objects:
                    raise RefusalError(400, "", f"{value['path']} was not uploaded")
                files[value["path"]] = File.make(value["path"], self.objects[value["oid"]])
            elif key == "deletedFile":
                del files[value["path"]]
        commit = hashlib.sha1(f"{parent}{json.dumps(lines)}".encode()).hexdigest()
        repository.commits[commit] = files
        repository.refs["main"] = commit
        self.messages.append(header["summary"])
        return commit


class ModelHandler(Handler):
    """Answers one request per connection."""

    server: ModelHub  # pyrefly: ignore[bad-override-mutable-attribute]

    def answer(self) -> None:
        """Answer a request that reads."""
        match = MODEL.fullmatch(self.path)
        if not match or match["what"] != "refs":
            super().answer()
            return
        refs = self.server.repositories[match["repo"]].refs
        named = [{"name": name, "ref": f"refs/{name}", "targetCommit": commit} for name, commit in refs.items()]
        tags = [each for each in named if each["name"] != "main"]
        self.reply({"branches": [each for each in named if each["name"] == "main"], "converts": [], "tags": tags})

    def do_POST(self) -> None:
        """Answer a request that writes."""
        body = read_body(self)
        try:
            self.take(body)
        except RefusalError as refusal:
            self.send(json.dumps({"error": str(refusal)}).encode(), refusal.status, refusal.headers)

    do_PUT = do_POST

    def take(self, body: bytes) -> None:
        """Do what is asked, or refuse."""
        hub = self.server
        if stored := OBJECT.fullmatch(self.path):
            self.store(stored["oid"], body)
            return
        if self.path == "/api/validate-yaml":
            self.validate(json.loads(body)["content"])
            return
        authorization = self.headers.get("Authorization")
        if authorization not in (f"Bearer {TOKEN}", f"Bearer {READER}"):
            raise RefusalError(401, "", "Invalid username or password.")
        for part, status in hub.refused.items():
            if part in self.path:
                raise RefusalError(status, "", "Refused")
        if authorization != f"Bearer {TOKEN}":
            raise RefusalError(403, "", "You don't have the rights to write here")
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            exists = repo in hub.repositories
            if not exists:
                hub.create(repo, asked["visibility"] == "private")
            self.reply({"url": f"{hub.endpoint}/{repo}"}, 409 if exists else 200)
        elif match := BATCH.fullmatch(self.path):
            objects = json.loads(body)["objects"]
            self.reply({"transfer": "basic", "objects": [self.action(each) for each in objects]})
        elif match := MODEL.fullmatch(self.path):
            self.change(match["repo"], match["what"], unquote(match["revision"]), body)
        else:
            raise RefusalError(404, "", "Sorry, we can't find the page you are looking for.")

    def change(self, repo: str, what: str, revision: str, body: bytes) -> None:
        """Change a repository."""
        hub = self.server
        repository = hub.repositories[repo]
        if what == "preupload":
            held = repository.commits[repository.refs["main"]]
            modes = [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if is_large(each["path"], each["size"]) else "regular",
                    "shouldIgnore": False,
                    "oid": held[each["path"]].oid if each["path"] in held else None,
                }
                for each in json.loads(body)["files"]
            ]
            self.reply({"files": modes})
        elif what == "commit":
            commit = hub.commit(repo, [json.loads(line) for line in body.splitlines()])
            self.reply({"commitUrl": f"{hub.endpoint}/{repo}/commit/{commit}", "commitOid": commit})
        elif what == "tag":
            name = json.loads(body)["tag"]
            exists = name in repository.refs
            repository.refs.setdefault(name, repository.refs.get(revision, revision))
            self.reply({}, 409 if exists else 200)

    def action(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what to do to upload a large file: nothing if it is there."""
        known = asked["oid"] in self.server.objects
        upload = {"upload": {"href": f"{self.server.endpoint}/lfs/{asked['oid']}"}}
        return {**asked} if known else {**asked, "actions": upload}

    def store(self, oid: str, body: bytes) -> None:
        """Keep a large file whose content has this hash."""
        hub = self.server
        if hub.hold:
            hub.held.set()
            hub.release.wait()
            return
        for part, status in hub.refused.items():
            if part in self.path:
                raise RefusalError(status, "", "Refused")
        if hashlib.sha256(body).hexdigest() != oid:
            raise RefusalError(400, "", "The content has another hash")
        hub.objects[oid] = body
        self.reply({})

    def validate(self, card: str) -> None:
        """Check the metadata of a card, of which the hub knows every field."""
        metadata = yaml.safe_load(card.split("---\n")[1])
        wrong = metadata.get("license", "other") not in LICENSES
        errors = [{"message": f'"license" must be one of {sorted(LICENSES)}'}] if wrong else []
        self.reply({"errors": errors, "warnings": []}, 400 if errors else 200)

    def reply(self, content: dict[str, Any], status: int = 200) -> None:
        """Send JSON."""
        self.send(json.dumps(content).encode(), status)


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    """Return the body of a request, which may come in chunks."""
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
