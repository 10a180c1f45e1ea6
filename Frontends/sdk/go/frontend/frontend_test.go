// SPDX-License-Identifier: Apache-2.0

package frontend

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// asJSON is a value as it reads back from its JSON text.
func asJSON(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var result any
	if err := json.Unmarshal(data, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func platform(t *testing.T, text string) *Platform {
	t.Helper()
	platform, err := ParsePlatform(text)
	if err != nil {
		t.Fatal(err)
	}
	return platform
}

func TestWritesTheGraphEverySDKWrites(t *testing.T) {
	base := Image("alpine:3.20", platform(t, "linux/arm64"))
	local := Local("context", LocalOptions{Exclude: []string{"*.o"}, Follow: []string{"src", "lib"}})
	mode := 0o600
	sources := Scratch().File("prepare", MakeDirectory("/w", FileOptions{}),
		MakeFile("/w/greeting", []byte("hello\n"), FileOptions{Mode: &mode, Owner: "app:7"}),
		Symlink("/w/greeting", "/g", FileOptions{}),
		Copy(local, "src", "/w/", CopyOptions{FileOptions: FileOptions{Owner: "root"}}), Remove("/w/tmp", true, false))
	built := base.Dir("/w").Env("A", "1").User("app").Run(Run{Args: []string{"make", "-C", "/w"},
		Mounts: []Mount{Bind("/src", sources, BindOptions{ReadOnly: true}), Cache("/cache", "make", "locked"),
			Tmpfs("/tmp", 1<<20), Bind("out", Scratch(), BindOptions{})},
		Secrets: []Secret{{ID: "token", Env: "TOKEN"}, {ID: "key"}}, SSH: []SSH{{}}, Network: "none", Name: "make",
		IgnoreCache: true})
	out, isMount := built.Mount("out")
	if !isMount {
		t.Fatal("no mount")
	}
	result := Merge(built.Root(), out, Diff(base, built.Root()),
		HTTP("https://example.com/a.tgz", HTTPOptions{"sha256:" + strings.Repeat("0", 64), "a.tgz", 0o755}),
		Git("https://example.com/r.git", "main", ""))
	data, err := os.ReadFile("../../testing/vectors/graph.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected any
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	if found := asJSON(t, result.Definition(platform(t, "linux/amd64"))); !reflect.DeepEqual(found, expected) {
		text, _ := json.MarshalIndent(found, "", "  ")
		t.Errorf("wrote %s", text)
	}
}

func TestWritesAnOperationOnceAndDeepGraphsWithoutRecursion(t *testing.T) {
	tree := Image("alpine", nil)
	for number := 0; number < 5000; number++ {
		tree = tree.File("", MakeFile(fmt.Sprintf("/%d", number), nil, FileOptions{}))
	}
	twice := Merge(tree, tree.File("", MakeDirectory("/a", FileOptions{})), tree.File("", Remove("/b", true, false)))
	if count := len(twice.Definition(nil)["def"].(Object)); count != 5005 {
		t.Errorf("wrote %d operations", count)
	}
	if count := len(Merge(Scratch(), Scratch()).Definition(nil)["def"].(Object)); count != 0 {
		t.Errorf("wrote %d operations for the empty tree", count)
	}
}

func TestReadsReferencesAndPlatforms(t *testing.T) {
	for text, full := range map[string]string{"alpine": "docker.io/library/alpine:latest", "a/b:1": "docker.io/a/b:1",
		"localhost/x": "localhost/x:latest", "r:5000/x@sha256:0": "r:5000/x@sha256:0", "r.io/x/y": "r.io/x/y:latest"} {
		if found := FullReference(text); found != full {
			t.Errorf("%s is %s", text, found)
		}
	}
	for text, name := range map[string]string{"linux/aarch64/v8": "linux/arm64", "linux/arm/v7": "linux/arm/v7"} {
		if found := platform(t, text).String(); found != name {
			t.Errorf("%s is %s", text, found)
		}
	}
	for _, text := range []string{"linux", "a/b/c/d", "/amd64", "linux/arm/"} {
		if _, err := ParsePlatform(text); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestRefusesJSONOutsideTheProtocol(t *testing.T) {
	for _, text := range []string{"", "[]", "{", `{"a":1,"a":2}`, `{"a":1} 2`, "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}", `{"a":01}`,
		`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}"} {
		if value, err := decode([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, value)
		}
	}
}

func TestKeepsASessionWithAnEngine(t *testing.T) {
	probe := filepath.Join(t.TempDir(), "probe")
	if text, err := exec.Command("go", "build", "-o", probe, "./probe").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if text, err := exec.Command("python3", "../../testing/test_session.py", "--", probe).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
