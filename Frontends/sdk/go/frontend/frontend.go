// SPDX-License-Identifier: Apache-2.0

// Package frontend is for writing frontends in Go. One file, nothing but the standard library: copy it into a directory
// of your module.
//
//	func main() {
//		frontend.Main("acme/packages", "1.0.0", build)
//	}
//
//	func build(ctx context.Context, session *frontend.Session, request *frontend.Request) (*frontend.Result, error) {
//		base, err := session.ResolveImage(ctx, "alpine:3.20", nil)
//		if err != nil {
//			return nil, err
//		}
//		args := append([]string{"apk", "add", "--no-cache"}, strings.Fields(string(request.Content))...)
//		tree := base.State.Run(frontend.Run{Args: args}).Root()
//		config := frontend.ImageConfig(request.Platform(), frontend.Object{"Cmd": []any{"sh"}}, base.Config)
//		return frontend.NewResult(tree, config), nil
//	}
//
// Main takes stdin and stdout over: what anything else prints goes to stderr. It speaks frontend protocol 1.0, whose text
// stands in Protocol/SPEC.md.
package frontend

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"
)

// The newest minor by major this package speaks.
var spoken = map[int]int{1: 0}

const frameLimit = 1 << 24

// Object is a JSON object. A []byte in one that is sent to the engine travels as a blob.
type Object = map[string]any

// RequestError is an error the engine answered a request with. A handler may return it, or wrap it with %w to say where in
// the build file it happened.
type RequestError struct {
	// Kind says what happened: notFound, operation, denied, …
	Kind    string
	Message string
	// Request is the number of the request; 0 when it was not sent.
	Request int
	// Data are the members the engine added.
	Data Object
}

func (e *RequestError) Error() string { return e.Message }

// BuildError is an error whose message says all there is to say to the user; its cause, if any, goes on to the engine.
type BuildError struct {
	Message string
	Cause   error
}

func (e *BuildError) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *BuildError) Unwrap() error { return e.Cause }

// IsNotFound says whether an error tells that a file, image or commit does not exist.
func IsNotFound(err error) bool {
	var request *RequestError
	return errors.As(err, &request) && request.Kind == "notFound"
}

// --- The graph: trees and the steps that make them

// State is a file tree that may not exist yet, and the settings of steps on it. It never changes: methods give a new one.
// The zero State is the empty tree.
type State struct {
	vertex   *vertex
	output   int
	env      []string
	dir      string
	user     string
	platform *Platform
	network  string
}

// Platform is one as the OCI image specification has it.
type Platform struct {
	OS, Architecture, Variant, OSVersion string
	OSFeatures                           []string
}

type vertex struct {
	kind        string
	body        Object
	inputs      []State
	platform    *Platform
	hasPlatform bool
	metadata    Object
}

// Scratch is the empty tree.
func Scratch() State { return State{} }

// Env sets a variable for steps.
func (s State) Env(name, value string) State {
	env := make([]string, 0, len(s.env)+1)
	isSet := false
	for _, entry := range s.env {
		if strings.HasPrefix(entry, name+"=") {
			entry, isSet = name+"="+value, true
		}
		env = append(env, entry)
	}
	if !isSet {
		env = append(env, name+"="+value)
	}
	s.env = env
	return s
}

// Dir sets the directory of steps, where relative paths begin.
func (s State) Dir(dir string) State {
	s.dir = s.path(dir)
	return s
}

// User sets who runs steps: a name, a number, user:group.
func (s State) User(user string) State {
	s.user = user
	return s
}

// On sets where steps run.
func (s State) On(platform *Platform) State {
	s.platform = platform
	return s
}

// Network sets the network of steps: "none", "host" or "" for the engine's own.
func (s State) Network(mode string) State {
	s.network = mode
	return s
}

// Configured takes environment, directory and user from an image config.
func (s State) Configured(config Object) State {
	inner, _ := config["config"].(Object)
	entries, _ := inner["Env"].([]any)
	for _, entry := range entries {
		text, _ := entry.(string)
		name, value, _ := strings.Cut(text, "=")
		s = s.Env(name, value)
	}
	s = s.Dir("/" + text(inner, "WorkingDir"))
	return s.User(text(inner, "User"))
}

// Mount is something a step sees at a path: Bind, Cache or Tmpfs.
type Mount struct {
	Target             string
	Source             State
	members            Object
	isOutput, readonly bool
}

// BindOptions say how a tree is mounted.
type BindOptions struct {
	// Selector is the path of the tree to mount.
	Selector string
	// ReadOnly and Discard keep what is written from becoming a tree.
	ReadOnly, Discard bool
}

// Bind mounts a tree; what is written there is kept unless options say otherwise.
func Bind(target string, source State, options BindOptions) Mount {
	members := withoutEmpty(Object{"selector": options.Selector, "readonly": options.ReadOnly})
	return Mount{target, source, members, !options.ReadOnly && !options.Discard, options.ReadOnly}
}

// Cache is a directory that outlives the build. Sharing is "shared", "private" or "locked".
func Cache(target, id, sharing string) Mount {
	if id == "" {
		id = target
	}
	if sharing == "" {
		sharing = "shared"
	}
	members := Object{"mountType": "CACHE", "cacheOpt": Object{"ID": id, "sharing": strings.ToUpper(sharing)}}
	return Mount{Target: target, members: members}
}

// Tmpfs is memory; size in bytes, 0 for no limit of its own.
func Tmpfs(target string, size int64) Mount {
	return Mount{Target: target, members: Object{"mountType": "TMPFS", "TmpfsOpt": withoutEmpty(Object{"size": size})}}
}

// Secret is a secret of the user, as a file at Target, in the variable Env, or both; with neither at /run/secrets/ID.
type Secret struct {
	ID, Target, Env string
	UID, GID        int
	// Mode is 0400 when it is 0.
	Mode     int
	Optional bool
}

// SSH is an SSH agent of the user; an empty ID is the default one.
type SSH struct {
	ID, Target string
	UID, GID   int
	// Mode is 0600 when it is 0.
	Mode     int
	Optional bool
}

// Run is one command and what it runs with.
type Run struct {
	Args           []string
	Mounts         []Mount
	Secrets        []Secret
	SSH            []SSH
	Network        string
	ReadOnlyRoot   bool
	ValidExitCodes []int
	// Name is what to show for the step.
	Name        string
	IgnoreCache bool
}

// Step is what a program left.
type Step struct {
	before  State
	vertex  *vertex
	outputs map[string]stepOutput
}

type stepOutput struct {
	index int
	mount Mount
}

// Run runs a program on the tree.
func (s State) Run(run Run) Step {
	mounts := append([]Mount{Bind("/", s, BindOptions{ReadOnly: run.ReadOnlyRoot})}, run.Mounts...)
	sort.SliceStable(mounts, func(i, j int) bool { return s.path(mounts[i].Target) < s.path(mounts[j].Target) })
	var inputs inputs
	outputs := map[string]stepOutput{}
	var written []any
	count := 0
	for _, mount := range mounts {
		target, index := s.path(mount.Target), -1
		if mount.isOutput {
			index = count
			count++
		}
		outputs[target] = stepOutput{index, mount}
		members := Object{"dest": target, "input": inputs.index(mount.Source), "output": index}
		for name, value := range mount.members {
			members[name] = value
		}
		written = append(written, members)
	}
	var variables []any
	for _, secret := range run.Secrets {
		if secret.Target == "" && secret.Env == "" {
			secret.Target = "/run/secrets/" + secret.ID
		}
		if secret.Env != "" {
			variable := Object{"ID": secret.ID, "name": secret.Env, "optional": secret.Optional}
			variables = append(variables, withoutEmpty(variable))
		}
		if secret.Target != "" {
			options := special(secret.ID, secret.UID, secret.GID, secret.Mode, 0o400, secret.Optional)
			written = append(written, Object{"dest": secret.Target, "input": -1, "output": -1, "mountType": "SECRET",
				"secretOpt": options})
		}
	}
	env := append([]string{}, s.env...)
	for number, agent := range run.SSH {
		if agent.Target == "" {
			agent.Target = fmt.Sprintf("/run/buildkit/ssh_agent.%d", number)
		}
		if number == 0 && !hasVariable(env, "SSH_AUTH_SOCK") {
			env = append(env, "SSH_AUTH_SOCK="+agent.Target)
		}
		options := special(agent.ID, agent.UID, agent.GID, agent.Mode, 0o600, agent.Optional)
		written = append(written, Object{"dest": agent.Target, "input": -1, "output": -1, "mountType": "SSH",
			"SSHOpt": options})
	}
	meta := withoutEmpty(Object{"args": list(run.Args), "env": list(env), "cwd": s.path("."), "user": s.user,
		"validExitCodes": list(run.ValidExitCodes), "removeMountStubsRecursive": true})
	network := run.Network
	if network == "" {
		network = s.network
	}
	body := withoutEmpty(Object{"meta": meta, "mounts": written, "secretenv": variables,
		"network": strings.ToUpper(network)})
	step := &vertex{kind: "exec", body: body, inputs: inputs.states, platform: s.platform, hasPlatform: true,
		metadata: description(run.Name, run.IgnoreCache)}
	return Step{s, step, outputs}
}

// Root is the tree the program ran on, afterwards.
func (s Step) Root() State {
	root, _ := s.Mount("/")
	return root
}

// Mount is the tree of a mount afterwards; false for a path that is no mount or whose content is not kept.
func (s Step) Mount(target string) (State, bool) {
	output, isMount := s.outputs[s.before.path(target)]
	switch {
	case isMount && output.index >= 0:
		state := output.mount.Source
		if state.vertex == nil {
			state = s.before
		}
		return state.onto(s.vertex, output.index), true
	case isMount && output.mount.readonly:
		return output.mount.Source, true
	default:
		return State{}, false
	}
}

// Action is a change to a tree: Copy, MakeFile, MakeDirectory, Symlink or Remove.
type Action struct {
	kind, path string
	members    Object
	owner      string
	source     State
}

// FileOptions are common to actions that make something.
type FileOptions struct {
	// Mode is permission bits; nil keeps those of a copy and is 0644 or 0755 for what is made.
	Mode *int
	// Owner is "user" or "user:group", names or numbers.
	Owner string
	// Time is nanoseconds since 1970; nil keeps it, or is the time of the build.
	Time *int64
}

// CopyOptions say how files are copied.
type CopyOptions struct {
	FileOptions
	// SymbolicMode such as "u+rwX" wins over Mode.
	SymbolicMode                                                       string
	FollowSymlinks, ContentsOnly, Unpack, Wildcard, AllowEmptyWildcard bool
	// NoParents keeps missing directories above the destination from being made.
	NoParents        bool
	Replace          bool
	Include, Exclude []string
}

// Copy copies a path of another tree.
func Copy(source State, from, to string, options CopyOptions) Action {
	mode := -1
	if options.Mode != nil {
		mode = *options.Mode
	}
	if options.SymbolicMode != "" {
		mode = 0
	}
	members := withoutEmpty(Object{"modeStr": options.SymbolicMode, "followSymlink": options.FollowSymlinks,
		"dirCopyContents": options.ContentsOnly, "attemptUnpackDockerCompatibility": options.Unpack,
		"createDestPath": !options.NoParents, "allowWildcard": options.Wildcard,
		"allowEmptyWildcard": options.AllowEmptyWildcard, "includePatterns": list(options.Include),
		"excludePatterns": list(options.Exclude), "alwaysReplaceExistingDestPaths": options.Replace})
	members["src"], members["dest"], members["mode"] = source.path(from), to, mode
	members["timestamp"] = timestamp(options.Time)
	return Action{"copy", "dest", members, options.Owner, source}
}

// MakeFile writes a file.
func MakeFile(target string, data []byte, options FileOptions) Action {
	members := Object{"path": target, "mode": modeOr(options.Mode, 0o644), "timestamp": timestamp(options.Time),
		"data": base64.StdEncoding.EncodeToString(data)}
	return Action{"mkfile", "path", members, options.Owner, State{}}
}

// MakeDirectory makes a directory and those above it; one that exists stays as it is.
func MakeDirectory(target string, options FileOptions) Action {
	members := Object{"path": target, "mode": modeOr(options.Mode, 0o755), "timestamp": timestamp(options.Time),
		"makeParents": true}
	return Action{"mkdir", "path", members, options.Owner, State{}}
}

// Symlink makes a symbolic link at a path.
func Symlink(target, at string, options FileOptions) Action {
	members := Object{"oldpath": target, "newpath": at, "timestamp": timestamp(options.Time)}
	return Action{"symlink", "newpath", members, options.Owner, State{}}
}

// Remove removes a file, or a directory with all it holds.
func Remove(target string, missingOK, wildcard bool) Action {
	members := withoutEmpty(Object{"path": target, "allowNotFound": missingOK, "allowWildcard": wildcard})
	return Action{"rm", "path", members, "", State{}}
}

// File makes changes in one operation, one after the other. The name is what to show for it, if not empty.
func (s State) File(name string, actions ...Action) State {
	if len(actions) == 0 {
		return s
	}
	var inputs inputs
	base := inputs.index(s)
	sources := make([]int, len(actions))
	for index, action := range actions {
		sources[index] = inputs.index(action.source)
	}
	var written []any
	for index, action := range actions {
		members := Object{}
		for name, value := range action.members {
			members[name] = value
		}
		target := text(members, action.path)
		members[action.path] = s.path(target)
		if action.kind == "copy" {
			members[action.path] = s.pathWithSlash(target)
		}
		if action.owner != "" {
			members["owner"] = owner(action.owner, base)
		}
		entry := Object{"input": base, "secondaryInput": sources[index], "output": -1, action.kind: members}
		if index > 0 {
			entry["input"] = len(inputs.states) + index - 1
		}
		if index == len(actions)-1 {
			entry["output"] = 0
		}
		written = append(written, entry)
	}
	return s.onto(&vertex{kind: "file", body: Object{"actions": written}, inputs: inputs.states,
		metadata: description(name, false)}, 0)
}

// Source is a source by its identifier and attributes, for kinds that have no function of their own.
func Source(identifier string, attributes map[string]string, name string, platform *Platform) State {
	attrs := Object{}
	for key, value := range attributes {
		if value != "" {
			attrs[key] = value
		}
	}
	hasPlatform := strings.HasPrefix(identifier, "docker-image://") || strings.HasPrefix(identifier, "oci-layout://")
	body := withoutEmpty(Object{"identifier": identifier, "attrs": attrs})
	source := &vertex{kind: "source", body: body, platform: platform, hasPlatform: hasPlatform,
		metadata: description(name, false)}
	return State{vertex: source, platform: platform}
}

// Image is the tree of an image: "alpine:3.20", "ghcr.io/acme/app@sha256:…". A nil platform is the build's.
func Image(reference string, platform *Platform) State {
	return Source("docker-image://"+FullReference(reference), nil, "", platform)
}

// LocalOptions say which part of a directory is needed.
type LocalOptions struct {
	Include, Exclude, Follow []string
	SharedKeyHint, Differ    string
	Name                     string
}

// Local is a directory of the user: "context", or "dockerfile" for the one that holds the build file.
func Local(localName string, options LocalOptions) State {
	return Source("local://"+localName, map[string]string{
		"local.includepattern": listText(options.Include), "local.excludepatterns": listText(options.Exclude),
		"local.followpaths": listText(options.Follow), "local.sharedkeyhint": options.SharedKeyHint,
		"local.differ": options.Differ}, options.Name, nil)
}

// Git is a commit of a repository: an https or ssh URL, and a branch, tag or commit.
func Git(url, ref, checksum string) State {
	bare := regexp.MustCompile(`^[a-z+]+://`).ReplaceAllString(url, "")
	if ref != "" {
		bare += "#" + ref
	}
	return Source("git://"+bare, map[string]string{"git.fullurl": url, "git.checksum": checksum}, "", nil)
}

// HTTPOptions say how a URL is fetched.
type HTTPOptions struct {
	// Checksum is "sha256:…".
	Checksum, Filename string
	Mode               int
}

// HTTP is a directory with one file, fetched from a URL.
func HTTP(url string, options HTTPOptions) State {
	attributes := map[string]string{"http.checksum": options.Checksum, "http.filename": options.Filename}
	if options.Mode != 0 {
		attributes["http.perm"] = "0" + strconv.FormatInt(int64(options.Mode), 8)
	}
	return Source(url, attributes, "", nil)
}

// Merge lays trees over each other, later ones on top.
func Merge(states ...State) State {
	var filled []State
	var written []any
	for _, state := range states {
		if state.vertex != nil {
			written = append(written, Object{"input": len(filled)})
			filled = append(filled, state)
		}
	}
	switch len(filled) {
	case 0:
		return State{}
	case 1:
		return filled[0]
	default:
		return filled[0].onto(&vertex{kind: "merge", body: Object{"inputs": written}, inputs: filled}, 0)
	}
}

// Diff is what must be laid on lower to get upper.
func Diff(lower, upper State) State {
	if lower.vertex == nil {
		return upper
	}
	inputs, index := []State{lower}, -1
	if upper.vertex != nil {
		inputs, index = append(inputs, upper), 1
	}
	body := Object{"lower": Object{"input": 0}, "upper": Object{"input": index}}
	return lower.onto(&vertex{kind: "diff", body: body, inputs: inputs}, 0)
}

// Definition is the graph as the engine takes it, {"def":…}; platform is where steps run that name none.
func (s State) Definition(platform *Platform) Object {
	if s.vertex == nil {
		return Object{"def": Object{}}
	}
	names := map[*vertex]string{}
	def, metadata := Object{}, Object{}
	stack := []*vertex{s.vertex}
	for len(stack) > 0 { // Inputs first, without recursion: graphs may be thousands of steps deep.
		top := stack[len(stack)-1]
		var waiting []*vertex
		for index := len(top.inputs) - 1; index >= 0; index-- {
			if input := top.inputs[index].vertex; names[input] == "" {
				waiting = append(waiting, input)
			}
		}
		if names[top] == "" && len(waiting) > 0 {
			stack = append(stack, waiting...)
			continue
		}
		stack = stack[:len(stack)-1]
		if names[top] != "" {
			continue
		}
		name := fmt.Sprintf("op%d", len(names)+1)
		names[top] = name
		def[name] = top.operation(names, platform)
		if len(top.metadata) > 0 {
			metadata[name] = top.metadata
		}
	}
	def["result"] = Object{"inputs": []any{edge(names[s.vertex], s.output)}}
	return withoutEmpty(Object{"def": def, "metadata": metadata})
}

func (v *vertex) operation(names map[*vertex]string, platform *Platform) Object {
	operation := Object{v.kind: v.body}
	var edges []any
	for _, input := range v.inputs {
		edges = append(edges, edge(names[input.vertex], input.output))
	}
	if edges != nil {
		operation["inputs"] = edges
	}
	if v.platform != nil {
		platform = v.platform
	}
	if v.hasPlatform && platform != nil {
		operation["platform"] = withoutEmpty(Object{"OS": platform.OS, "Architecture": platform.Architecture,
			"Variant": platform.Variant, "OSVersion": platform.OSVersion, "OSFeatures": list(platform.OSFeatures)})
	}
	return operation
}

func (s State) onto(v *vertex, output int) State {
	s.vertex, s.output = v, output
	return s
}

// path is a path below the state's directory, absolute and clean.
func (s State) path(text string) string {
	if path.IsAbs(text) {
		return path.Clean(text)
	}
	return path.Join("/", s.dir, text)
}

// pathWithSlash keeps a slash at the end, which means "into it".
func (s State) pathWithSlash(text string) string {
	clean := s.path(text)
	switch {
	case clean == "/":
		return clean
	case strings.HasSuffix(text, "/"):
		return clean + "/"
	case strings.HasSuffix(text, "/."):
		return clean + "/."
	default:
		return clean
	}
}

// inputs of one operation, each once.
type inputs struct{ states []State }

func (i *inputs) index(state State) int {
	if state.vertex == nil {
		return -1
	}
	for index, other := range i.states {
		if other.vertex == state.vertex && other.output == state.output {
			return index
		}
	}
	i.states = append(i.states, state)
	return len(i.states) - 1
}

func edge(name string, output int) Object {
	if output == 0 {
		return Object{"digest": name}
	}
	return Object{"digest": name, "index": output}
}

func description(name string, ignoreCache bool) Object {
	metadata := Object{}
	if name != "" {
		metadata["description"] = Object{"llb.customname": name}
	}
	if ignoreCache {
		metadata["ignore_cache"] = true
	}
	return metadata
}

func special(id string, uid, gid, mode, fallback int, optional bool) Object {
	if mode == 0 {
		mode = fallback
	}
	return withoutEmpty(Object{"ID": id, "uid": uid, "gid": gid, "mode": mode, "optional": optional})
}

func owner(text string, base int) Object {
	identity := func(text string) Object {
		if text == "root" {
			return Object{"byID": 0}
		}
		if number, err := strconv.ParseUint(text, 10, 32); err == nil {
			return Object{"byID": number}
		}
		return Object{"byName": Object{"name": text, "input": base}}
	}
	user, group, _ := strings.Cut(text, ":")
	result := Object{}
	if user != "" {
		result["user"] = identity(user)
	}
	if group != "" {
		result["group"] = identity(group)
	}
	return result
}

func withoutEmpty(members Object) Object {
	for name, value := range members {
		isEmpty := value == nil
		switch value := value.(type) {
		case string:
			isEmpty = value == ""
		case bool:
			isEmpty = !value
		case int:
			isEmpty = value == 0
		case int64:
			isEmpty = value == 0
		case []any:
			isEmpty = len(value) == 0
		case Object:
			isEmpty = len(value) == 0
		}
		if isEmpty {
			delete(members, name)
		}
	}
	return members
}

func list[Element any](elements []Element) []any {
	var result []any
	for _, element := range elements {
		result = append(result, element)
	}
	return result
}

func listText(elements []string) string {
	if len(elements) == 0 {
		return ""
	}
	text, _ := encode(list(elements))
	return string(text)
}

func hasVariable(env []string, name string) bool {
	for _, entry := range env {
		if strings.HasPrefix(entry, name+"=") {
			return true
		}
	}
	return false
}

func modeOr(mode *int, fallback int) int {
	if mode == nil {
		return fallback
	}
	return *mode & 0o777
}

func timestamp(time *int64) int64 {
	if time == nil {
		return -1
	}
	return *time
}

func text(members Object, name string) string {
	value, _ := members[name].(string)
	return value
}

// --- Names and image configs

// FullReference is an image's whole name: "alpine" is "docker.io/library/alpine:latest".
func FullReference(text string) string {
	head, _, hasSlash := strings.Cut(text, "/")
	if !hasSlash {
		text = "docker.io/library/" + text
	} else if !strings.ContainsAny(head, ".:") && head != "localhost" {
		text = "docker.io/" + text
	}
	name, _, hasDigest := strings.Cut(text, "@")
	if hasDigest || strings.Contains(path.Base(name), ":") {
		return text
	}
	return text + ":latest"
}

// ParsePlatform reads "linux/arm64/v8".
func ParsePlatform(text string) (*Platform, error) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" || parts[len(parts)-1] == "" {
		return nil, fmt.Errorf("cannot read platform %q: expected os/architecture[/variant]", text)
	}
	platform := &Platform{OS: parts[0], Architecture: parts[1]}
	switch parts[1] {
	case "x86_64":
		platform.Architecture = "amd64"
	case "aarch64":
		platform.Architecture = "arm64"
	}
	if len(parts) == 3 && !(platform.Architecture == "arm64" && parts[2] == "v8") {
		platform.Variant = parts[2]
	}
	return platform, nil
}

// String gives "linux/arm64".
func (p *Platform) String() string {
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return text
}

func (p *Platform) members() Object {
	return withoutEmpty(Object{"os": p.OS, "architecture": p.Architecture, "variant": p.Variant,
		"os.version": p.OSVersion, "os.features": list(p.OSFeatures)})
}

func platformOf(value any) *Platform {
	members, _ := value.(Object)
	if members == nil {
		return nil
	}
	platform := &Platform{OS: text(members, "os"), Architecture: text(members, "architecture"),
		Variant: text(members, "variant"), OSVersion: text(members, "os.version")}
	features, _ := members["os.features"].([]any)
	for _, feature := range features {
		if feature, isText := feature.(string); isText {
			platform.OSFeatures = append(platform.OSFeatures, feature)
		}
	}
	return platform
}

// ImageConfig is an OCI image config: config has members such as Env and Cmd, which win over those of base, if there is one.
func ImageConfig(platform *Platform, config, base Object) Object {
	result := Object{"rootfs": Object{"type": "layers", "diff_ids": []any{}}, "history": []any{}}
	for name, value := range base {
		result[name] = value
	}
	for name, value := range platform.members() {
		if name != "os.features" {
			result[name] = value
		}
	}
	inner := Object{}
	given, _ := base["config"].(Object)
	for _, members := range []Object{given, config} {
		for name, value := range members {
			inner[name] = value
		}
	}
	result["config"] = inner
	return result
}

// --- What the engine asks, and what it is answered

// Request is a build.
type Request struct {
	// FileName is the build file's name, for messages.
	FileName string
	// Content is the build file.
	Content []byte
	Options map[string]string
	// Inputs are named trees: ref, and definition.
	Inputs          Object
	WorkerPlatforms []*Platform
	CommandLine     string
	platforms       []*Platform
}

func newRequest(params Object) (*Request, error) {
	file, _ := params["buildFile"].(Object)
	name, isNamed := file["name"].(string)
	content, err := bytesOf(file["content"])
	if !isNamed || err != nil {
		return nil, errors.New("buildFile")
	}
	request := &Request{FileName: name, Content: content, Options: map[string]string{},
		CommandLine: text(params, "commandLine")}
	options, _ := params["options"].(Object)
	for name := range options {
		request.Options[name] = text(options, name)
	}
	request.Inputs, _ = params["inputs"].(Object)
	platforms, _ := params["workerPlatforms"].([]any)
	for _, platform := range platforms {
		if platform := platformOf(platform); platform != nil {
			request.WorkerPlatforms = append(request.WorkerPlatforms, platform)
		}
	}
	if len(request.WorkerPlatforms) == 0 {
		return nil, errors.New("workerPlatforms")
	}
	for _, name := range strings.Split(request.Options["platform"], ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		platform, err := ParsePlatform(name)
		if err != nil {
			return nil, err
		}
		request.platforms = append(request.platforms, platform)
	}
	if request.platforms == nil {
		request.platforms = request.WorkerPlatforms[:1]
	}
	return request, nil
}

// Text is the build file as text, or an error when it is not UTF-8.
func (r *Request) Text() (string, error) {
	if !utf8.Valid(r.Content) {
		return "", fmt.Errorf("%s: not UTF-8", r.FileName)
	}
	return strings.TrimPrefix(string(r.Content), "\ufeff"), nil
}

// Named are the options that begin with a prefix, without it: "build-arg:", "label:".
func (r *Request) Named(prefix string) map[string]string {
	found := map[string]string{}
	for name, value := range r.Options {
		if strings.HasPrefix(name, prefix) {
			found[name[len(prefix):]] = value
		}
	}
	return found
}

// Platforms are the platforms to build for.
func (r *Request) Platforms() []*Platform { return r.platforms }

// Platform is the first of Platforms.
func (r *Request) Platform() *Platform { return r.platforms[0] }

// Result is what came out.
type Result struct {
	Parts []Part
	// Metadata are []byte or string.
	Metadata Object
}

// Part is one platform's part of a result.
type Part struct {
	// Tree is a State, or a ref of Session.Solve: a string, or nil for the empty tree.
	Tree any
	// Config is an Object, the []byte of one, or nil.
	Config   any
	Platform *Platform
	Metadata Object
}

// NewResult is a result of one platform, the request's.
func NewResult(tree State, config Object) *Result {
	part := Part{Tree: tree}
	if config != nil {
		part.Config = config
	}
	return &Result{Parts: []Part{part}}
}

func (r *Result) message(ctx context.Context, session *Session, request *Request) (Object, error) {
	refs := []any{}
	for _, part := range r.Parts {
		if part.Platform == nil {
			part.Platform = request.Platform()
		}
		entry := Object{"id": part.Platform.String(), "platform": part.Platform.members(), "ref": part.Tree,
			"metadata": byteValues(part.Metadata)}
		if tree, isState := part.Tree.(State); isState {
			ref, err := session.solve(ctx, tree.Definition(part.Platform), false)
			if err != nil {
				return nil, err
			}
			entry["ref"] = ref
		}
		switch config := part.Config.(type) {
		case []byte:
			entry["config"] = config
		case Object:
			encoded, err := encode(config)
			if err != nil {
				return nil, err
			}
			entry["config"] = encoded
		}
		refs = append(refs, entry)
	}
	return Object{"refs": refs, "index": len(refs) > 1, "metadata": byteValues(r.Metadata)}, nil
}

// Session is what a frontend may ask the engine. What it does not offer fails as unsupported. Calls may overlap.
type Session struct {
	// Capabilities is what the engine offers.
	Capabilities map[string]bool
	// Engine is its name and version, for messages.
	Engine         string
	WorkerPlatform *Platform
	limits         limits
	channel        *channel
	slots          chan struct{}
	mutex          sync.Mutex
	calls          map[int]*Call
	nextID         int
	// isOver says that the work request is answered: nothing is sent any more.
	isOver bool
}

type limits struct{ frame, message, blob, inFlight int }

// Call is a request on its way; Session.Start makes it.
type Call struct {
	session *Session
	id      int
	answer  chan Object
}

// Offers says whether the engine offers a request or notification.
func (s *Session) Offers(method string, params Object) bool {
	name := method
	switch method {
	case "log", "cancel":
		return true
	case "releaseRef":
		name = "solve"
	case "evaluate":
		name = "solve.evaluate"
	case "readDir", "stat":
		name = "readFile"
	case "frontend/solve":
		name = "frontend.solve"
	case "resolveSource":
		scheme, _, _ := strings.Cut(text(params, "identifier"), "://")
		switch scheme {
		case "git":
			name += ".git"
		case "http", "https":
			name += ".http"
		default:
			name += ".image"
		}
	}
	return s.Capabilities[name]
}

// Start makes a request without waiting for its answer; it waits while as many are open as the engine allows.
func (s *Session) Start(method string, params Object) (*Call, error) {
	if !s.Offers(method, params) {
		return nil, &RequestError{Kind: "unsupported",
			Message: fmt.Sprintf("%s does not offer \"%s\"; a newer one may", s.Engine, method)}
	}
	s.slots <- struct{}{}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.isOver {
		<-s.slots
		return nil, &RequestError{Kind: "cancelled", Message: "the build was given up"}
	}
	call := &Call{s, s.nextID + 1, make(chan Object, 1)}
	if err := s.channel.send(Object{"id": call.id, "method": method, "params": params}, s.limits); err != nil {
		<-s.slots
		return nil, err
	}
	s.nextID++
	s.calls[call.id] = call
	return call, nil
}

// Wait gives the result, or a *RequestError. When the context ends first, the request is given up.
func (c *Call) Wait(ctx context.Context) (Object, error) {
	var message Object
	select {
	case message = <-c.answer:
	case <-ctx.Done():
		c.Cancel()
		return nil, &RequestError{Kind: "cancelled", Message: "the request was given up", Request: c.id}
	}
	if failure, isFailure := message["error"].(Object); isFailure {
		data, _ := failure["data"].(Object)
		kind := text(data, "kind")
		if kind == "" {
			kind = map[string]string{"-32601": "unsupported", "-32602": "invalidParams"}[fmt.Sprint(failure["code"])]
		}
		if kind == "" {
			kind = "internal"
		}
		return nil, &RequestError{kind, text(failure, "message"), c.id, data}
	}
	if message["isGivenUp"] == true {
		return nil, &RequestError{Kind: "cancelled", Message: "the engine gave a blob of its answer up", Request: c.id}
	}
	result, _ := message["result"].(Object)
	return result, nil
}

// Cancel tells the engine that the answer is not needed.
func (c *Call) Cancel() { c.session.Notify("cancel", Object{"id": c.id}) }

// Call makes a request and waits for its result.
func (s *Session) Call(ctx context.Context, method string, params Object) (Object, error) {
	call, err := s.Start(method, params)
	if err != nil {
		return nil, err
	}
	return call.Wait(ctx)
}

// Notify tells the engine something; what it does not show is not sent.
func (s *Session) Notify(method string, params Object) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.Offers(method, params) && !s.isOver {
		_ = s.channel.send(Object{"method": method, "params": params}, s.limits)
	}
}

func (s *Session) answered(message Object) error {
	id, _ := integer(message["id"])
	s.mutex.Lock()
	call := s.calls[id]
	delete(s.calls, id)
	s.mutex.Unlock()
	if call == nil {
		return fmt.Errorf("an answer to request %d, which is not open", id)
	}
	call.answer <- message
	<-s.slots
	return nil
}

// Solve makes a ref of a tree: a string, or nil for the empty tree. Nothing runs until something reads it.
func (s *Session) Solve(ctx context.Context, tree State, evaluate bool) (any, error) {
	return s.solve(ctx, tree.Definition(s.WorkerPlatform), evaluate)
}

func (s *Session) solve(ctx context.Context, definition Object, evaluate bool) (any, error) {
	if operations, _ := definition["def"].(Object); len(operations) == 0 {
		return nil, nil
	}
	params := Object{"definition": Object{"json": definition}}
	if evaluate {
		params["evaluate"] = true
	}
	answer, err := s.Call(ctx, "solve", params)
	return answer["ref"], err
}

// Evaluate waits until the tree of a ref stands.
func (s *Session) Evaluate(ctx context.Context, ref any) error {
	_, err := s.Call(ctx, "evaluate", Object{"ref": ref})
	return err
}

// Release gives a ref back.
func (s *Session) Release(ctx context.Context, ref any) error {
	_, err := s.Call(ctx, "releaseRef", Object{"ref": ref})
	return err
}

// ReadFile gives bytes of a file of a ref from an offset; all the rest when length is negative.
func (s *Session) ReadFile(ctx context.Context, ref any, path string, offset, length int64) ([]byte, error) {
	var data []byte
	for length < 0 || int64(len(data)) < length {
		params := Object{"ref": ref, "path": path, "offset": offset + int64(len(data))}
		if length >= 0 {
			params["length"] = length - int64(len(data))
		}
		answer, err := s.Call(ctx, "readFile", params)
		if err != nil {
			return nil, err
		}
		chunk, err := bytesOf(answer["data"])
		if err != nil {
			return nil, err
		}
		data = append(data, chunk...)
		if answer["eof"] == true || len(chunk) == 0 {
			break
		}
	}
	return data, nil
}

// ReadDir gives file infos, ordered by the bytes of their names; pattern may be empty.
func (s *Session) ReadDir(ctx context.Context, ref any, path, pattern string) ([]Object, error) {
	params := Object{"ref": ref, "path": path}
	if pattern != "" {
		params["pattern"] = pattern
	}
	answer, err := s.Call(ctx, "readDir", params)
	if err != nil {
		return nil, err
	}
	var infos []Object
	entries, _ := answer["entries"].([]any)
	for _, entry := range entries {
		if info, isInfo := entry.(Object); isInfo {
			infos = append(infos, info)
		}
	}
	return infos, nil
}

// Stat gives a file info.
func (s *Session) Stat(ctx context.Context, ref any, path string, follow bool) (Object, error) {
	return s.Call(ctx, "stat", Object{"ref": ref, "path": path, "follow": follow})
}

// ReadContext gives bytes of a file in the build's directory, nil when there is none. Nothing else is looked at.
func (s *Session) ReadContext(ctx context.Context, path string) ([]byte, error) {
	tree := Local("context", LocalOptions{Follow: []string{path}, SharedKeyHint: "context-" + path, Differ: "none",
		Name: "[internal] load " + path})
	ref, err := s.Solve(ctx, tree, false)
	if err != nil {
		return nil, err
	}
	data, err := s.ReadFile(ctx, ref, path, 0, -1)
	if IsNotFound(err) {
		return nil, nil
	}
	if data == nil && err == nil {
		data = []byte{}
	}
	return data, err
}

// Context is the build's directory, without what its .dockerignore names. Options narrow it further.
func (s *Session) Context(ctx context.Context, options LocalOptions) (State, error) {
	data, err := s.ReadContext(ctx, ".dockerignore")
	if err != nil {
		return State{}, err
	}
	var ignored []string
	for _, line := range strings.Split(string(data), "\n") {
		isComment := strings.HasPrefix(line, "#")
		line = strings.TrimSpace(line)
		if line == "" || isComment {
			continue
		}
		mark := ""
		if strings.HasPrefix(line, "!") {
			mark, line = "!", strings.TrimSpace(line[1:])
		}
		ignored = append(ignored, mark+strings.TrimLeft(path.Clean(line), "/"))
	}
	options.Exclude = append(ignored, options.Exclude...)
	options.SharedKeyHint, options.Name = "context", "[internal] load build context"
	return Local("context", options), nil
}

// ResolvedImage is an image's tag looked up.
type ResolvedImage struct {
	// Name is with digest.
	Name, Digest string
	Config       Object
	// State is to build upon, with the settings of the config.
	State State
}

// ResolveSource tells what a source stands for now: the answer of resolveSource as it is.
func (s *Session) ResolveSource(ctx context.Context, identifier string, more Object) (Object, error) {
	params := Object{"identifier": identifier}
	for name, value := range more {
		params[name] = value
	}
	return s.Call(ctx, "resolveSource", params)
}

// ResolveImage looks an image's tag up and fetches its config. A nil platform is the worker's.
func (s *Session) ResolveImage(ctx context.Context, reference string, platform *Platform) (*ResolvedImage, error) {
	if platform == nil {
		platform = s.WorkerPlatform
	}
	full := FullReference(reference)
	answer, err := s.ResolveSource(ctx, "docker-image://"+full,
		Object{"platform": platform.members(), "logName": "[internal] load metadata for " + full})
	if err != nil {
		return nil, err
	}
	found, _ := answer["image"].(Object)
	encoded, err := bytesOf(found["config"])
	if err != nil {
		return nil, err
	}
	config, err := decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("cannot read the config of %s: %w", full, err)
	}
	_, name, _ := strings.Cut(text(answer, "identifier"), "://")
	if !strings.Contains(name, "@") {
		name += "@" + text(found, "digest")
	}
	return &ResolvedImage{name, text(found, "digest"), config, Image(name, platform).Configured(config)}, nil
}

// Log adds a line to the build's log.
func (s *Session) Log(message string) { s.Notify("log", Object{"message": message, "level": "info"}) }

// Warn reports a weakness of the build file at a line, 0 for none; more are further members of diagnostic.
func (s *Session) Warn(message, file string, line int, more Object) {
	params := withoutEmpty(Object{"message": message, "severity": "warning", "file": file})
	if line > 0 {
		params["ranges"] = []any{Object{"startLine": line}}
	}
	for name, value := range more {
		params[name] = value
	}
	s.Notify("diagnostic", params)
}

// --- The wire

func bytesOf(value any) ([]byte, error) {
	switch value := value.(type) {
	case []byte:
		return value, nil
	case string:
		return []byte(value), nil
	default:
		return nil, errors.New("bytes are missing")
	}
}

func byteValues(values Object) Object {
	result := Object{}
	for name, value := range values {
		if data, err := bytesOf(value); err == nil {
			result[name] = data
		}
	}
	return result
}

func integer(value any) (int, bool) {
	number, isNumber := value.(json.Number)
	parsed, err := strconv.Atoi(string(number))
	return parsed, isNumber && err == nil
}

func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), err
}

// decode reads one JSON object strictly.
func decode(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, err := decodeValue(decoder, 1)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("bytes follow the object")
	}
	object, isObject := value.(Object)
	if !isObject {
		return nil, errors.New("no object")
	}
	return object, nil
}

func decodeValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	delimiter, isDelimiter := token.(json.Delim)
	if !isDelimiter {
		return token, nil
	}
	if depth > 64 {
		return nil, errors.New("objects and arrays stand more than 64 deep in each other")
	}
	if delimiter == '[' {
		elements := []any{}
		for decoder.More() {
			element, err := decodeValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		_, err := decoder.Token()
		return elements, err
	}
	members := Object{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		if _, isThere := members[name.(string)]; isThere {
			return nil, fmt.Errorf("member %q stands twice in an object", name)
		}
		if members[name.(string)], err = decodeValue(decoder, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = decoder.Token()
	return members, err
}

// replaced gives a value with some of its parts replaced, wherever they stand.
func replaced(value any, replace func(any) (any, bool)) any {
	if other, isReplaced := replace(value); isReplaced {
		return other
	}
	switch value := value.(type) {
	case Object:
		members := make(Object, len(value))
		for name, member := range value {
			members[name] = replaced(member, replace)
		}
		return members
	case []any:
		elements := make([]any, len(value))
		for index, element := range value {
			elements[index] = replaced(element, replace)
		}
		return elements
	default:
		return value
	}
}

// announcement is the stream and size of a blob; size -1 is unknown.
func announcement(value any) (stream, size int, isBlob bool) {
	members, _ := value.(Object)
	_, hasBlob := members["blob"]
	sizeValue, hasSize := members["size"]
	if len(members) != 2 || !hasBlob || !hasSize {
		return 0, 0, false
	}
	stream, _ = integer(members["blob"])
	size, isKnown := integer(sizeValue)
	if !isKnown {
		size = -1
	}
	return stream, size, true
}

type channel struct {
	reader     *bufio.Reader
	writing    sync.Mutex
	writer     io.Writer
	nextStream uint32
}

func (c *channel) frame(isStart bool) (uint32, []byte, error) {
	var header [8]byte
	if _, err := io.ReadFull(c.reader, header[:]); err != nil {
		if isStart && err == io.EOF {
			return 0, nil, io.EOF
		}
		return 0, nil, errors.New("stdin ends inside a message")
	}
	length, stream := binary.BigEndian.Uint32(header[:4]), binary.BigEndian.Uint32(header[4:])
	if length >= frameLimit || stream >= 1<<31 {
		return 0, nil, fmt.Errorf("a frame of %d bytes on stream %d", length, stream)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(c.reader, payload); err != nil {
		return 0, nil, errors.New("stdin ends inside a frame")
	}
	return stream, payload, nil
}

// receive gives the next message, its blobs in their places as []byte; io.EOF at the end.
func (c *channel) receive() (Object, error) {
	stream, payload, err := c.frame(true)
	if err != nil {
		return nil, err
	}
	if stream != 0 {
		return nil, fmt.Errorf("a frame of stream %d where a message is due", stream)
	}
	message, err := decode(payload)
	if err != nil {
		return nil, fmt.Errorf("a message that cannot be read: %w", err)
	}
	count := 0
	for _, name := range []string{"method", "result", "error"} {
		if message[name] != nil {
			count++
		}
	}
	_, hasNumber := integer(message["id"])
	if count != 1 || (message["id"] != nil || message["method"] == nil) && !hasNumber {
		return nil, errors.New("a message that is neither request, answer nor notification")
	}
	waiting, data := map[uint32]int{}, map[uint32][]byte{}
	replaced(message, func(value any) (any, bool) {
		stream, size, isBlob := announcement(value)
		if isBlob {
			data[uint32(stream)] = []byte{}
			if size != 0 {
				waiting[uint32(stream)] = size
			}
		}
		return nil, isBlob
	})
	for len(waiting) > 0 {
		stream, chunk, err := c.frame(false)
		if err != nil {
			return nil, err
		}
		left, isAnnounced := waiting[stream]
		switch {
		case !isAnnounced:
			return nil, fmt.Errorf("a frame of stream %d, which is not announced", stream)
		case left >= 0 && len(chunk) > left:
			return nil, fmt.Errorf("stream %d is longer than announced", stream)
		case len(chunk) == 0:
			delete(waiting, stream)
			if left > 0 { // The engine gave the blob up.
				data[stream], message["isGivenUp"] = nil, true
			}
			continue
		}
		data[stream] = append(data[stream], chunk...)
		if left > 0 {
			if left -= len(chunk); left == 0 {
				delete(waiting, stream)
			} else {
				waiting[stream] = left
			}
		}
	}
	return replaced(message, func(value any) (any, bool) {
		stream, _, isBlob := announcement(value)
		if isBlob && data[uint32(stream)] == nil {
			return nil, true
		}
		return data[uint32(stream)], isBlob
	}).(Object), nil
}

func (c *channel) send(message Object, limits limits) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	type blob struct {
		stream uint32
		data   []byte
	}
	var blobs []blob
	total := 0
	message["jsonrpc"] = "2.0"
	text, err := encode(sorted(message, func(data []byte) any {
		stream := c.nextStream
		c.nextStream = (c.nextStream + 2) % (1 << 31)
		blobs = append(blobs, blob{stream, data})
		total += len(data)
		return Object{"blob": stream, "size": len(data)}
	}))
	if err != nil {
		return err
	}
	if len(text) > limits.message || total > limits.blob {
		return &RequestError{Kind: "limit", Message: fmt.Sprintf(
			"a message of %d bytes with %d bytes of blobs; the engine takes %d and %d", len(text), total, limits.message,
			limits.blob)}
	}
	if err := c.write(0, text); err != nil {
		return err
	}
	for _, blob := range blobs {
		for start := 0; start < len(blob.data); start += limits.frame {
			end := start + limits.frame
			if end > len(blob.data) {
				end = len(blob.data)
			}
			if err := c.write(blob.stream, blob.data[start:end]); err != nil {
				return err
			}
		}
	}
	return nil
}

// sorted replaces every []byte, in the order in which encoding/json writes them: members by their names.
func sorted(value any, announce func([]byte) any) any {
	switch value := value.(type) {
	case []byte:
		return announce(value)
	case Object:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		sort.Strings(names)
		members := make(Object, len(value))
		for _, name := range names {
			members[name] = sorted(value[name], announce)
		}
		return members
	case []any:
		elements := make([]any, len(value))
		for index, element := range value {
			elements[index] = sorted(element, announce)
		}
		return elements
	default:
		return value
	}
}

func (c *channel) write(stream uint32, payload []byte) error {
	frame := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload)))
	binary.BigEndian.PutUint32(frame[4:], stream)
	_, err := c.writer.Write(append(frame, payload...))
	return err
}

func (c *channel) refuse(id any, kind, message string, data Object) {
	code := -32000
	switch kind {
	case "unsupported":
		code = -32601
	case "invalidParams":
		code = -32602
	case "internal":
		code = -32603
	}
	members := Object{"kind": kind}
	for name, value := range data {
		if name != "kind" {
			members[name] = value
		}
	}
	failure := Object{"code": code, "message": message, "data": members}
	_ = c.send(Object{"id": id, "error": failure}, limits{frame: 1, message: frameLimit - 1})
}

// --- The life of a frontend

// Handler does a build.
type Handler func(ctx context.Context, session *Session, request *Request) (*Result, error)

type server struct {
	name, version string
	build         Handler
	channel       *channel
	session       *Session
	mutex         sync.Mutex
	// work is the number of the work request until it is answered; cancel ends it.
	work   any
	cancel context.CancelFunc
	isDone bool
}

// Main runs the frontend until the engine closes stdin, and ends the process.
func Main(name, version string, build Handler) {
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		leave(64, fmt.Sprintf("%s %s is a frontend for an image builder; it is started by one", name, version))
	}
	reader, writer, err := takeStreams()
	if err != nil {
		leave(71, fmt.Sprintf("%s: cannot take over stdin and stdout: %v", name, err))
	}
	if os.Getenv("FRONTEND_WAIT") == "1" {
		fmt.Fprintf(os.Stderr, "process %d waits: attach a debugger, then kill -CONT %d\n", os.Getpid(), os.Getpid())
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	s := &server{name: name, version: version, build: build}
	s.channel = &channel{reader: bufio.NewReaderSize(reader, 1<<16), writer: writer, nextStream: 1}
	for {
		message, err := s.channel.receive()
		if err == nil {
			err = s.handle(message)
		}
		if err == io.EOF {
			os.Exit(0)
		}
		if err != nil {
			leave(76, fmt.Sprintf("%s: the engine broke the protocol: %v", name, err))
		}
	}
}

// takeStreams moves the protocol off descriptors 0 and 1: nothing else of this process or its children can touch it then.
func takeStreams() (io.Reader, io.Writer, error) {
	in, err := syscall.Dup(0)
	if err != nil {
		return nil, nil, err
	}
	out, err := syscall.Dup(1)
	if err != nil {
		return nil, nil, err
	}
	syscall.CloseOnExec(in)
	syscall.CloseOnExec(out)
	if err := syscall.Dup3(2, 1, 0); err != nil {
		return nil, nil, err
	}
	if null, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0); err == nil {
		err = syscall.Dup3(null, 0, 0)
		_ = syscall.Close(null)
		if err != nil {
			return nil, nil, err
		}
	}
	return os.NewFile(uintptr(in), "protocol"), os.NewFile(uintptr(out), "protocol"), nil
}

func leave(status int, message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(status)
}

func (s *server) handle(message Object) error {
	method := text(message, "method")
	params, _ := message["params"].(Object)
	unknown, _ := params["mustUnderstand"].([]any)
	id := message["id"]
	switch {
	case method == "" && s.session == nil:
		return fmt.Errorf("an answer to request %v, which is not open", id)
	case method == "":
		return s.session.answered(message)
	case id == nil:
		if method == "cancel" {
			s.cancelWork(params["id"])
		}
	case len(unknown) > 0:
		s.channel.refuse(id, "unsupported", fmt.Sprintf("does not understand %v", unknown), nil)
	case method == "initialize" && s.session == nil:
		s.initialize(id, params)
	case method != "build":
		s.channel.refuse(id, "unsupported", fmt.Sprintf("no method %q in this frontend", method), nil)
	case s.session == nil:
		s.channel.refuse(id, "invalidParams", "\"build\" before \"initialize\"", nil)
	case s.isDone:
		s.channel.refuse(id, "unsupported", "one process does one build", nil)
	default:
		s.isDone = true
		request, err := newRequest(params)
		if err != nil {
			s.channel.refuse(id, "invalidParams", fmt.Sprintf("\"build\" lacks or has a malformed member: %v", err), nil)
			return nil
		}
		s.session.WorkerPlatform = request.WorkerPlatforms[0]
		ctx, cancel := context.WithCancel(context.Background())
		s.mutex.Lock()
		s.work, s.cancel = id, cancel
		s.mutex.Unlock()
		go s.serve(ctx, id, request)
	}
	return nil
}

func (s *server) initialize(id any, params Object) {
	values, _ := params["limits"].(Object)
	offered, isList := params["protocol"].([]any)
	capabilities, hasCapabilities := params["capabilities"].([]any)
	engine, hasEngine := params["engine"].(Object)
	var found [4]int
	hasLimits := true
	for index, name := range []string{"frame", "message", "blob", "inFlight"} {
		number, isNumber := integer(values[name])
		found[index], hasLimits = number, hasLimits && isNumber && number > 0
	}
	if !isList || !hasCapabilities || !hasEngine || !hasLimits {
		s.channel.refuse(id, "invalidParams", "\"initialize\" lacks a member or has a malformed one", nil)
		return
	}
	major, minor := -1, -1
	for _, text := range offered {
		version, _ := text.(string)
		match := regexp.MustCompile(`^([0-9]{1,9})\.([0-9]{1,9})$`).FindStringSubmatch(version)
		if match == nil {
			continue
		}
		theirMajor, _ := strconv.Atoi(match[1])
		theirMinor, _ := strconv.Atoi(match[2])
		ours, isSpoken := spoken[theirMajor]
		if !isSpoken || theirMajor < major {
			continue
		}
		if theirMinor < ours {
			ours = theirMinor
		}
		if theirMajor > major || ours > minor {
			major, minor = theirMajor, ours
		}
	}
	if major < 0 {
		supported := []any{}
		for major, minor := range spoken {
			supported = append(supported, fmt.Sprintf("%d.%d", major, minor))
		}
		s.channel.refuse(id, "incompatible", fmt.Sprintf("speaks protocol %v, none of which the engine offers", supported),
			Object{"supported": supported})
		return
	}
	s.session = &Session{Capabilities: map[string]bool{}, channel: s.channel, calls: map[int]*Call{},
		Engine: text(engine, "name") + " " + text(engine, "version"),
		limits: limits{found[0], found[1], found[2], found[3]}, slots: make(chan struct{}, found[3])}
	for _, capability := range capabilities {
		if name, isText := capability.(string); isText {
			s.session.Capabilities[name] = true
		}
	}
	_ = s.channel.send(Object{"id": id, "result": Object{"protocol": fmt.Sprintf("%d.%d", major, minor),
		"frontend": Object{"name": s.name, "version": s.version}, "provides": []any{}}}, s.session.limits)
}

func (s *server) serve(ctx context.Context, id any, request *Request) {
	defer func() {
		if defect := recover(); defect != nil { // Its author needs the stack, its user one line.
			fmt.Fprintf(os.Stderr, "%v\n%s", defect, debug.Stack())
			if s.takeWork() {
				s.channel.refuse(id, "internal", fmt.Sprintf("%s: %v", s.name, defect), nil)
			}
		}
	}()
	result, err := s.build(ctx, s.session, request)
	var message Object
	if err == nil {
		message, err = result.message(ctx, s.session, request)
	}
	if !s.takeWork() {
		return // It was answered as cancelled.
	}
	if err == nil {
		err = s.channel.send(Object{"id": id, "result": message}, s.session.limits)
	}
	var failure *RequestError
	switch {
	case err == nil:
	case errors.As(err, &failure):
		data := Object{}
		for name, value := range failure.Data {
			data[name] = value
		}
		if failure.Request > 0 {
			data["request"] = failure.Request
		}
		s.channel.refuse(id, failure.Kind, err.Error(), data)
	default:
		s.channel.refuse(id, "buildFile", err.Error(), nil)
	}
}

// takeWork says whether the work request is still to be answered, and that the caller does it.
func (s *server) takeWork() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	isOpen := s.work != nil
	s.work = nil
	s.session.mutex.Lock()
	s.session.isOver = true
	s.session.mutex.Unlock()
	return isOpen
}

func (s *server) cancelWork(id any) {
	s.mutex.Lock()
	isWork := s.work != nil && s.work == id
	s.mutex.Unlock()
	if isWork && s.takeWork() {
		s.cancel()
		s.channel.refuse(id, "cancelled", "the build was given up", nil)
	}
}
