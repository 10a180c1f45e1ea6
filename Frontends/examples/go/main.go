// SPDX-License-Identifier: Apache-2.0

// Command frontend makes an image of a directory with a Procfile, at /app, that starts one of its processes: --target or
// "web". Lines are "name: command"; --build-arg BASE=image names what to stand on.
package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"acme/procfile/frontend"
)

var process = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(\S.*)$`)

func commands(file, text string) (map[string]string, []string, error) {
	found, names := map[string]string{}, []string{}
	for number, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		match := process.FindStringSubmatch(line)
		if match == nil || found[match[1]] != "" {
			return nil, nil, fmt.Errorf("%s:%d: expected a new \"name: command\"", file, number+1)
		}
		found[match[1]], names = match[2], append(names, match[1])
	}
	return found, names, nil
}

func build(ctx context.Context, session *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
	found, names, err := commands(request.FileName, string(request.Content))
	if err != nil {
		return nil, err
	}
	target := request.Options["target"]
	if target == "" {
		target = "web"
	}
	if found[target] == "" {
		return nil, fmt.Errorf("%s: no process \"%s\"; there are: %v", request.FileName, target, names)
	}
	tree, config := frontend.Scratch(), frontend.Object(nil)
	if name := request.Named("build-arg:")["BASE"]; name != "" {
		base, err := session.ResolveImage(ctx, name, request.Platform())
		if err != nil {
			return nil, err
		}
		tree, config = base.State, base.Config
	}
	files := frontend.Local("context", frontend.LocalOptions{Name: "load the application", Exclude: []string{".git"}})
	tree = tree.File("copy the application", frontend.Copy(files, "/", "/app/", frontend.CopyOptions{ContentsOnly: true}))
	own := frontend.Object{"Cmd": []any{"/bin/sh", "-c", "exec " + found[target]}, "WorkingDir": "/app"}
	return frontend.NewResult(tree, frontend.ImageConfig(request.Platform(), own, config)), nil
}

func main() { frontend.Main("example/procfile", "1.0.0", build) }
