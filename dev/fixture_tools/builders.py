# SPDX-License-Identifier: Apache-2.0
"""Builds a fixture with BuildKit or with Kiln, after the options of its expect.json."""
import base64
import dataclasses
import json
import pathlib
import subprocess

from . import image


@dataclasses.dataclass
class Result:
    status: int
    message: str
    warnings: list
    images: list


def base_digest(layout):
    return json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]


def frontend_options(options, server):
    """What both builders are told, as BuildKit's frontend options without those of contexts."""
    values = {key: options[key] for key in ["target", "platform"] if key in options}
    arguments = dict(options.get("build-args", {}))
    if server:
        arguments["SERVER"] = server
    values.update({f"build-arg:{k}": v for k, v in arguments.items()})
    values.update({f"label:{k}": v for k, v in options.get("labels", {}).items()})
    return values


def secrets(options, scratch):
    for name, text in options.get("secrets", {}).items():
        file = pathlib.Path(scratch, "secret-" + name)
        file.write_text(text)
        yield from ["--secret", f"id={name},src={file}"]


def buildkit_inputs(options, fixture, base, scratch, server):
    """What buildctl build is told about a fixture; layouts and directories have the names that Kiln gives them."""
    values = frontend_options(options, server)
    values["filename"] = options.get("file", "Dockerfile")
    yield from ["--local", f"context={fixture / options.get('context', '.')}", "--local", f"dockerfile={fixture}"]
    contexts = {"busybox": "@base", **options.get("contexts", {})}
    for index, (name, place) in enumerate(sorted(contexts.items())):
        if place == "@base":
            values[f"context:{name}"] = f"oci-layout://layout{index}@{base_digest(base)}"
            yield from ["--oci-layout", f"layout{index}={base}"]
        else:
            values[f"context:{name}"] = f"local:{name}"
            yield from ["--local", f"{name}={fixture / place}"]
    for key, value in values.items():
        yield from ["--opt", f"{key}={value}"]
    for entitlement in options.get("allow", []):
        yield from ["--allow", entitlement]
    yield from secrets(options, scratch)


def build_with_buildkit(address, options, fixture, base, scratch, server):
    command = ["buildctl", "--addr", address, "build", "--progress=rawjson", "--no-cache"]
    command += ["--frontend", "dockerfile.v0", "--output", f"type=oci,dest={scratch}/buildkit.tar"]
    command += buildkit_inputs(options, fixture, base, scratch, server)
    return run(command, lambda: image.Archive(f"{scratch}/buildkit.tar"))


def kiln_inputs(options, fixture, base, scratch, server):
    """What kiln build is told about a fixture."""
    yield from ["-f", str(fixture / options.get("file", "Dockerfile"))]
    yield from ["--build-context", f"busybox=oci-layout://{base}"]
    for key, value in frontend_options(options, server).items():
        kind, _, name = key.partition(":")
        yield from [f"--{kind}", f"{name}={value}" if name else value]
    for name, place in options.get("contexts", {}).items():
        place = f"oci-layout://{base}" if place == "@base" else fixture / place
        yield from ["--build-context", f"{name}={place}"]
    for entitlement in options.get("allow", []):
        yield from ["--allow", entitlement]
    yield from secrets(options, scratch)
    yield str(fixture / options.get("context", "."))


def build_with_kiln(program, options, fixture, base, scratch, server):
    command = [program, "build", "--state-dir", f"{scratch}/state", "--progress=rawjson"]
    command += ["-o", f"type=oci,tar=false,dest={scratch}/kiln"]
    command += kiln_inputs(options, fixture, base, scratch, server)
    return run(command, lambda: image.Directory(f"{scratch}/kiln"))


def run(command, layout):
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    warnings = []
    for line in lines:
        if line.startswith("{"):
            for warning in json.loads(line).get("warnings") or []:
                warnings.append(base64.b64decode(warning["short"]).decode().split(":")[0])
    message = "\n".join(line for line in lines if not line.startswith("{"))
    images = image.images(layout()) if done.returncode == 0 else []
    return Result(done.returncode, message, sorted(warnings), images)
