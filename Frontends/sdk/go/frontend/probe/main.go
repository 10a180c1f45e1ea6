// SPDX-License-Identifier: Apache-2.0

// Command probe is the frontend of testing/test_session.py: the first word of the build file says what to do.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"frontend"
)

type deed func(context.Context, *frontend.Session, *frontend.Request) (*frontend.Result, error)

var file = frontend.Object{"ref": nil, "path": "/"}

var deeds = map[string]deed{
	"print": func(ctx context.Context, session *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
		fmt.Println("goes to stderr")
		child := exec.Command("sh", "-c", "echo a child prints; cat")
		child.Stdin, child.Stdout = os.Stdin, os.Stdout
		if err := child.Run(); err != nil {
			return nil, err
		}
		tree := frontend.Scratch().File("", frontend.MakeFile("/x", request.Content, frontend.FileOptions{}))
		config := frontend.ImageConfig(request.Platform(), frontend.Object{"Cmd": []any{"sh"}}, nil)
		return frontend.NewResult(tree, config), nil
	},
	"read": read,
	"pipeline": func(ctx context.Context, session *frontend.Session, _ *frontend.Request) (*frontend.Result, error) {
		calls := make(chan *frontend.Call, 50)
		go func() { // Starting waits for room, which waiting makes.
			for number := 0; number < 50; number++ {
				params := frontend.Object{"identifier": fmt.Sprintf("http://x/%d", number)}
				if call, err := session.Start("resolveSource", params); err == nil {
					calls <- call
				}
			}
			close(calls)
		}()
		var names []string
		for call := range calls {
			answer, err := call.Wait(ctx)
			if err != nil {
				return nil, err
			}
			names = append(names, answer["http"].(frontend.Object)["fileName"].(string))
		}
		return &frontend.Result{Parts: []frontend.Part{{}},
			Metadata: frontend.Object{"names": strings.Join(names, " ")}}, nil
	},
	"blob": func(context.Context, *frontend.Session, *frontend.Request) (*frontend.Result, error) {
		config := []byte("{" + strings.Repeat(" ", 5000) + "}")
		return &frontend.Result{Parts: []frontend.Part{{Config: config}}}, nil
	},
	"platforms": func(_ context.Context, _ *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
		result := &frontend.Result{Metadata: frontend.Object{"note": "x"}}
		for _, platform := range request.Platforms() {
			result.Parts = append(result.Parts, frontend.Part{Tree: frontend.Image("alpine", platform), Platform: platform,
				Config: frontend.ImageConfig(platform, nil, nil)})
		}
		return result, nil
	},
	"resolve": func(ctx context.Context, session *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
		base, err := session.ResolveImage(ctx, "alpine:3.20", nil)
		if err != nil {
			return nil, err
		}
		config := frontend.ImageConfig(request.Platform(), frontend.Object{"Cmd": []any{"x"}}, base.Config)
		return frontend.NewResult(base.State.Run(frontend.Run{Args: []string{"true"}}).Root(), config), nil
	},
	"fail": func(context.Context, *frontend.Session, *frontend.Request) (*frontend.Result, error) {
		return nil, errors.New("Buildfile:3: no such word")
	},
	"text": func(_ context.Context, _ *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
		_, err := request.Text()
		return nil, err
	},
	"crash": func(context.Context, *frontend.Session, *frontend.Request) (*frontend.Result, error) {
		panic("a defect")
	},
	"make": func(context.Context, *frontend.Session, *frontend.Request) (*frontend.Result, error) {
		tree := frontend.Scratch().File("", frontend.MakeDirectory("/a", frontend.FileOptions{}))
		return frontend.NewResult(tree, nil), nil
	},
	"large": func(context.Context, *frontend.Session, *frontend.Request) (*frontend.Result, error) {
		data := bytes.Repeat([]byte("x"), 10000)
		tree := frontend.Scratch().File("", frontend.MakeFile("/a", data, frontend.FileOptions{}))
		return frontend.NewResult(tree, nil), nil
	},
	"wrap": func(ctx context.Context, session *frontend.Session, _ *frontend.Request) (*frontend.Result, error) {
		_, err := session.Call(ctx, "stat", file)
		return nil, &frontend.BuildError{Message: "Buildfile:1: gone", Cause: err}
	},
	"stat": func(ctx context.Context, session *frontend.Session, _ *frontend.Request) (*frontend.Result, error) {
		_, err := session.Call(ctx, "stat", file)
		return nil, err
	},
	"quiet": func(ctx context.Context, session *frontend.Session, _ *frontend.Request) (*frontend.Result, error) {
		session.Warn("not shown", "", 0, nil)
		session.Log("shown")
		_, err := session.ReadContext(ctx, "x")
		return nil, err
	},
	"giveUp": func(ctx context.Context, session *frontend.Session, _ *frontend.Request) (*frontend.Result, error) {
		call, err := session.Start("stat", file)
		if err != nil {
			return nil, err
		}
		call.Cancel()
		_, err = call.Wait(ctx)
		return nil, err
	},
}

func read(ctx context.Context, session *frontend.Session, _ *frontend.Request) (*frontend.Result, error) {
	var facts []any
	missing, err := session.ReadContext(ctx, "missing")
	if err != nil || missing != nil {
		return nil, fmt.Errorf("missing: %v %w", missing, err)
	}
	whole, err := session.ReadContext(ctx, "big")
	if err != nil {
		return nil, err
	}
	ref, err := session.Solve(ctx, frontend.Local("context", frontend.LocalOptions{}), false)
	if err != nil {
		return nil, err
	}
	part, err := session.ReadFile(ctx, ref, "big", 3, 70000)
	if err != nil {
		return nil, err
	}
	entries, err := session.ReadDir(ctx, ref, "/", "")
	if err != nil {
		return nil, err
	}
	info, err := session.Stat(ctx, ref, "big", false)
	if err != nil {
		return nil, err
	}
	tree, err := session.Context(ctx, frontend.LocalOptions{Exclude: []string{"x"}})
	facts = append(facts, "nil", len(whole), len(part), string(part[:3]), entries[0]["name"], info["size"])
	text := strings.TrimSpace(fmt.Sprintln(facts...))
	return &frontend.Result{Parts: []frontend.Part{{Tree: tree}}, Metadata: frontend.Object{"read": text}}, err
}

func main() {
	frontend.Main("acme/test", "1.2.3",
		func(ctx context.Context, session *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
			word, _, _ := bytes.Cut(request.Content, []byte(" "))
			return deeds[string(word)](ctx, session, request)
		})
}
