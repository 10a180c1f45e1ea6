# SPDX-License-Identifier: Apache-2.0
"""Reads what a build gave: the images of an OCI layout, each with its layers merged."""
import hashlib
import io
import json
import pathlib
import posixpath
import tarfile


class Archive:
    """Blobs of an OCI layout in a tar file."""

    def __init__(self, path):
        self.tar = tarfile.open(path)

    def read(self, name):
        return self.tar.extractfile(name).read()


class Directory:
    """Blobs of an OCI layout in a directory."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def read(self, name):
        return (self.path / name).read_bytes()


class Image:
    """The config of an image and its merged tree: path -> what is there."""

    def __init__(self, layout, descriptor):
        manifest = json.loads(blob(layout, descriptor))
        self.config = json.loads(blob(layout, manifest["config"]))
        self.tree = {}
        for layer in manifest["layers"] or []:
            apply_layer(tarfile.open(fileobj=io.BytesIO(blob(layout, layer))), self.tree)

    @property
    def platform(self):
        parts = [self.config.get(key) for key in ["os", "architecture", "variant"]]
        return "/".join(part for part in parts if part)

    @property
    def history(self):
        """The entries without their times."""
        entries = self.config.get("history") or []
        return [{k: v for k, v in entry.items() if k != "created"} for entry in entries]


def blob(layout, descriptor):
    return layout.read("blobs/" + descriptor["digest"].replace(":", "/"))


def images(layout):
    """All images of a layout, in the order of its indexes."""

    def below(descriptor):
        content = json.loads(blob(layout, descriptor))
        if "manifests" not in content:
            return [Image(layout, descriptor)]
        return [image for inner in content["manifests"] for image in below(inner)]

    index = json.loads(layout.read("index.json"))
    return [image for descriptor in index["manifests"] for image in below(descriptor)]


def apply_layer(layer, tree):
    added = {}

    def remove(path, keep_itself=False):
        for known in [p for p in tree if p.startswith(path + "/") or (p == path and not keep_itself)]:
            if known not in added:
                del tree[known]

    for member in layer:
        path = posixpath.normpath(member.name).lstrip("/")
        parent, name = posixpath.split(path)
        if name == ".wh..wh..opq":
            remove(parent, keep_itself=True)
        elif name.startswith(".wh."):
            remove(posixpath.join(parent, name[4:]))
        elif path != ".":
            if not member.isdir():
                remove(path)
            tree[path] = added[path] = entry(layer, member, tree)


def entry(layer, member, tree):
    if member.islnk():
        return tree[posixpath.normpath(member.linkname).lstrip("/")]
    found = {"mode": "%04o" % (member.mode & 0o7777), "uid": member.uid, "gid": member.gid}
    attributes = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    if attributes:
        found["attributes"] = attributes
    if member.isdir():
        found["type"] = "dir"
    elif member.issym():
        found.update(type="symlink", link=member.linkname)
    elif member.isfifo():
        found["type"] = "fifo"
    elif member.isfile():
        data = layer.extractfile(member).read()
        found.update(
            type="file",
            content=data.decode(errors="replace"),
            sha256=hashlib.sha256(data).hexdigest(),
        )
    else:
        found.update(type="device", device=[member.devmajor, member.devminor])
    return found
