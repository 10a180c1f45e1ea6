// Each line "PATH TEXT" of the build file becomes a file of the image. Make it your own format.
package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"{{NAME}}/frontend"
)

func build(ctx context.Context, session *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
	content, err := request.Text()
	if err != nil {
		return nil, err
	}
	var actions []frontend.Action
	for index, line := range strings.Split(content, "\n") {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name[0] == '#' {
			continue
		}
		if name[0] != '/' || name == "/" {
			return nil, fmt.Errorf("%s:%d: expected an absolute path and a text", request.FileName, index+1)
		}
		actions = append(actions, frontend.MakeDirectory(path.Dir(name), frontend.FileOptions{}),
			frontend.MakeFile(name, []byte(text+"\n"), frontend.FileOptions{}))
	}
	tree := frontend.Scratch().File("write files", actions...)
	config := frontend.ImageConfig(request.Platform(), frontend.Object{"Cmd": []any{"sh"}}, nil)
	return frontend.NewResult(tree, config), nil
}

func main() { frontend.Main("{{NAME}}", "0.1.0", build) }
