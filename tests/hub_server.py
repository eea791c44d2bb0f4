"""A model hub in a thread of the test: the endpoints that `huggingface_hub` needs to send and fetch a few files."""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
import yaml

TOKEN = "hf_of_the_owner"

LARGE = (".safetensors", ".onnx", ".model")
"""Files that the hub stores outside of git (LFS), whatever their size."""


@dataclass
class Hub:
    """Its repositories, and what was requested."""

    address: str = ""
    commits: dict[str, list[dict[str, bytes]]] = field(default_factory=dict)
    """The files after each commit, by repository."""
    private: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    """The files whose content was sent."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256."""

    def newest(self, repository: str) -> dict[str, bytes]:
        return self.commits[repository][-1]


def commit_hash(repository: str, number: int) -> str:
    return hashlib.sha1(f"{repository} {number}".encode()).hexdigest()


@contextlib.contextmanager
def hub_server(monkeypatch: pytest.MonkeyPatch, cache: str) -> Iterator[Hub]:
    """Serve an empty hub, and direct `huggingface_hub` to it, with an empty cache and nobody logged in."""
    from huggingface_hub import constants

    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", f"{cache}/token")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        api = path.startswith("api/models/")
        owner, name, *rest = path.removeprefix("api/models/").split("/")
        repository = f"{owner}/{name}"
        commits = self.hub.commits.get(repository, [])
        if api and not rest and self.is_owner and repository in self.hub.commits:
            return self.answer({"id": repository, "private": repository in self.hub.private, "siblings": []})
        if not commits or (repository in self.hub.private and not self.is_owner):
            return self.refuse(404 if self.is_owner else 401, "RepoNotFound")
        hashes = [commit_hash(repository, number) for number in range(len(commits))]
        revision = rest[1] if len(rest) > 1 else "main"
        if revision not in ("main", *hashes):
            return self.refuse(404, "RevisionNotFound")
        number = -1 if revision == "main" else hashes.index(revision)
        files, sha = commits[number], hashes[number]
        if api and rest[0] == "revision":
            siblings = [{"rfilename": file} for file in files]
            return self.answer({"id": repository, "modelId": repository, "sha": sha, "siblings": siblings})
        if repository in self.hub.gated and not self.is_owner:
            return self.refuse(403, "GatedRepo")
        if api:
            entries = [("file", file, len(content), content) for file, content in files.items()]
            return self.answer(
                [{"type": kind, "path": file, "size": size, "oid": oid(data)} for kind, file, size, data in entries]
            )
        file = "/".join(rest[2:])
        if file not in files:
            return self.refuse(404, "EntryNotFound")
        if self.command == "GET":
            self.hub.fetched.append(file)
        return self.send(200, files[file], {"ETag": f'"{oid(files[file])}"', "X-Repo-Commit": sha})

    def do_PUT(self) -> None:
        """A large file, at the address that the batch request gave."""
        name, content = self.path.rpartition("/")[2], self.body()
        if name != hashlib.sha256(content).hexdigest() or name in self.hub.objects:
            return self.refuse(400, "BadObject")
        self.hub.objects[name] = content
        return self.answer({})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/")
        body = self.body()
        if path == "api/validate-yaml":
            _, *front_matter = json.loads(body)["content"].split("---\n")
            valid = not front_matter or isinstance(yaml.safe_load(front_matter[0]), dict)
            return self.answer({"errors": [] if valid else [{"message": "no mapping"}], "warnings": []})
        if not self.is_owner:
            return self.refuse(401, "Unauthorized")
        if path == "api/repos/create":
            given = json.loads(body)
            repository = f"{given['organization']}/{given['name']}"
            if given["organization"] != "owner":
                return self.refuse(403, "Forbidden")
            if repository in self.hub.commits:
                return self.send(409, json.dumps({"url": f"{self.hub.address}/{repository}"}).encode())
            self.hub.commits[repository] = []
            if given.get("visibility") == "private" or given.get("private"):
                self.hub.private.add(repository)
            return self.answer({"url": f"{self.hub.address}/{repository}"})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [self.upload_of(each) for each in json.loads(body)["objects"]]
            return self.answer({"transfer": "basic", "objects": objects})
        repository, action = "/".join(path.split("/")[2:4]), path.split("/")[4]
        if action == "preupload":
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = {file: "lfs" if file.endswith(LARGE) else "regular" for file in files}
            return self.answer(
                {"files": [{"path": file, "uploadMode": mode, "shouldIgnore": False} for file, mode in modes.items()]}
            )
        commits = self.hub.commits[repository]
        lines = [json.loads(line) for line in body.splitlines()]
        added = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
        }
        added |= {
            line["value"]["path"]: self.hub.objects[line["value"]["oid"]] for line in lines if line["key"] == "lfsFile"
        }
        commits.append({**(commits[-1] if commits else {}), **added})
        sha = commit_hash(repository, len(commits) - 1)
        return self.answer({"commitUrl": f"{self.hub.address}/{repository}/commit/{sha}", "commitOid": sha})

    def upload_of(self, file: dict[str, object]) -> dict[str, object]:
        """Where to send a large file; nowhere if it is here."""
        upload = {"upload": {"href": f"{self.hub.address}/objects/{file['oid']}"}}
        return {**file, **({} if file["oid"] in self.hub.objects else {"actions": upload})}

    @property
    def is_owner(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, content: object) -> None:
        self.send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, code: str) -> None:
        self.send(status, json.dumps({"error": code}).encode(), {"X-Error-Code": code, "X-Error-Message": code})

    def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def oid(content: bytes) -> str:
    """The name of a file's content in git."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
