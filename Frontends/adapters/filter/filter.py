# SPDX-License-Identifier: Apache-2.0
"""filter.py NAME VERSION COMMAND [ARGUMENT…]: makes a frontend of a program that knows no protocol.

COMMAND gets the build file on its stdin and prints JSON:

    {"def": {…}, "metadata": {…}}                    LLB as of Protocol/SPEC.md section 7: a tree without image config
    {"llb": {"def": {…}}, "config": {"Cmd": […]}}    the same, and what the image's config says

`$OPTIONS` holds the build's options as a JSON object, `$PLATFORM` what to build for, as `linux/arm64`, `$FILE_NAME` what to
call the build file in messages. When COMMAND fails, what it printed on stderr is the message for the user.
"""
import json
import os
import subprocess
import sys

import frontend
from frontend import BuildError, Result, image_config, platform_id


def build(request, session):
    environment = {"PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"), "LC_ALL": "C.UTF-8",
                   "OPTIONS": json.dumps(request.options, sort_keys=True), "PLATFORM": platform_id(request.platform),
                   "FILE_NAME": request.file_name}
    command = sys.argv[3:]
    try:
        done = subprocess.run(command, input=request.content, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment)
    except OSError as error:
        raise BuildError("cannot run %s: %s" % (command[0], error.strerror))
    message = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        raise BuildError("%s: %s" % (request.file_name, message or "%s ended with status %d" % (command[0], done.returncode)))
    if message:
        print(message, file=sys.stderr)
    try:
        output = json.loads(done.stdout)
        llb = output.get("llb", output)
        llb["def"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError("%s printed no LLB as JSON: %s" % (command[0], error))
    definition = {name: llb[name] for name in ("def", "metadata", "source") if name in llb}
    config = image_config(request.platform, output["config"]) if output.get("config") else None
    return Result().add(session.solve(definition), config)


if len(sys.argv) < 4:
    sys.exit(__doc__)
frontend.main(sys.argv[1], sys.argv[2], build)
