# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Write a frontend in bash, with jq and coreutils: copy this file beside yours, source it, define `build`, call `fe_main`.
#
#     build() {                                  # $FE_FILE is a copy of the build file, $FE_NAME what it is called
#         grep -q . "$FE_FILE" || fe_fail "$FE_NAME:1: nothing in it"
#         fe_result "$(fe_file /motd "$FE_FILE")" '{"Cmd": ["cat", "/motd"]}'
#     }
#     fe_main acme/motd 1.0.0
#
# It speaks frontend protocol 1.0, whose text stands in Protocol/SPEC.md. stdout carries the protocol, so fe_main moves it
# aside: what anything prints goes to stderr.

fe_broken() {
    echo "$FE_FRONTEND: the engine broke the protocol: $1" >&2
    exit 76
}

# fe_frame FILE: appends the next frame's payload to a file; sets FE_STREAM and FE_SIZE. Ends when stdin does.
fe_frame() {
    local header
    header=($(head -c 8 <&4 | od -An -v -tu1))
    ((${#header[@]} > 0)) || exit 0
    ((${#header[@]} == 8 && header[0] == 0 && header[4] < 128)) || fe_broken "no frame"
    FE_SIZE=$((header[1] << 16 | header[2] << 8 | header[3]))
    FE_STREAM=$((header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7]))
    local before after
    before=$(stat -c %s "$1" 2>/dev/null || echo 0)
    head -c "$FE_SIZE" <&4 >>"$1"
    after=$(stat -c %s "$1")
    ((after - before == FE_SIZE)) || fe_broken "stdin ends inside a frame"
}

# Reads the next message into FE_MESSAGE, the bytes of its blobs into files $FE_TMP/STREAM.
fe_receive() {
    local stream size given
    rm -f "$FE_TMP/message" "$FE_TMP"/given-up
    fe_frame "$FE_TMP/message"
    ((FE_STREAM == 0)) || fe_broken "a frame of stream $FE_STREAM where a message is due"
    # jq reads what has a byte order mark, several values in a row, and bytes that are no UTF-8.
    iconv -f UTF-8 -t UTF-8 "$FE_TMP/message" >/dev/null 2>&1 && [[ $(head -c 1 "$FE_TMP/message") = [[:space:]{] ]] &&
        FE_MESSAGE=$(jq -cse 'if length == 1 and (.[0] | type == "object" and ([paths | length] | max // 0) < 64
            and ([.method, .result, .error] | map(select(. != null)) | length == 1) and (.id // 1 | type == "number")
            and (.method or .id)) then .[0] else empty end' "$FE_TMP/message" 2>/dev/null) ||
        fe_broken "a message that cannot be read"
    while read -r stream size; do
        : >"$FE_TMP/$stream"
        given=0
        while [[ $size = null ]] || ((given < size)); do
            fe_frame "$FE_TMP/$stream"
            ((FE_STREAM == stream)) || fe_broken "a frame of stream $FE_STREAM, expected stream $stream"
            if ((FE_SIZE == 0)); then
                [[ $size = null ]] || : >"$FE_TMP/given-up"
                break
            fi
            ((given += FE_SIZE))
        done
    done < <(jq -r '.. | objects | select(keys == ["blob", "size"]) | "\(.blob) \(.size)"' <<<"$FE_MESSAGE")
}

# fe_send: writes the message on stdin; fails when it is longer than the engine takes.
fe_send() {
    local text size LC_ALL=C
    text=$(jq -c '{jsonrpc: "2.0"} + .') || return
    size=${#text}
    ((size <= FE_LIMIT)) || return 1
    # shellcheck disable=SC2059
    printf "$(printf '\\x%02x' 0 $((size >> 16 & 255)) $((size >> 8 & 255)) $((size & 255)) 0 0 0 0)" >&5
    printf %s "$text" >&5
}

# fe_refuse ID KIND MESSAGE [DATA]: answers a request with an error.
fe_refuse() {
    jq -n --argjson id "$1" --arg kind "$2" --arg message "$3" --argjson data "${4:-{\}}" '{$id, error: {code:
        ({unsupported: -32601, invalidParams: -32602, internal: -32603}[$kind] // -32000), $message,
        data: ($data + {$kind})}}' | fe_send
}

# Answers what the engine asks while no answer of ours is due. `cancel` of the work ends it.
fe_handle() {
    local method id
    method=$(jq -r '.method // ""' <<<"$FE_MESSAGE") id=$(jq '.id // 0' <<<"$FE_MESSAGE")
    if [[ -z $method ]]; then
        fe_broken "an answer to request $id, which is not open"
    elif ((id == 0)); then
        [[ $method = cancel && -n ${FE_WORK-} && $(jq '.params.id // 0' <<<"$FE_MESSAGE") = "$FE_WORK" ]] || return 0
        fe_refuse "$FE_WORK" cancelled "the build was given up"
        fe_rest
    elif [[ $(jq '.params.mustUnderstand // [] | length' <<<"$FE_MESSAGE") != 0 ]]; then
        fe_refuse "$id" unsupported "does not understand what the engine says must be"
    elif [[ $method = initialize && -z ${FE_HELLO-} ]]; then
        fe_initialize "$id"
    elif [[ $method != build ]]; then
        fe_refuse "$id" unsupported "no method \"$method\" in this frontend"
    elif [[ -z ${FE_HELLO-} ]]; then
        fe_refuse "$id" invalidParams '"build" before "initialize"'
    elif [[ -n ${FE_DONE-} ]]; then
        fe_refuse "$id" unsupported "one process does one build"
    else
        fe_work "$id"
    fi
}

fe_initialize() {
    if ! jq -e '.params | (.protocol | type == "array") and (.capabilities | type == "array") and .engine != null and
        all(.limits[]; type == "number")' <<<"$FE_MESSAGE" >/dev/null 2>&1; then
        fe_refuse "$1" invalidParams '"initialize" lacks a member or has a malformed one'
    elif ! jq -e '.params.protocol | any(.[]; tostring | test("^1[.][0-9]{1,9}$"))' <<<"$FE_MESSAGE" >/dev/null; then
        fe_refuse "$1" incompatible "speaks protocol 1.0, which the engine does not offer" '{"supported": ["1.0"]}'
    else
        FE_HELLO=$FE_MESSAGE
        FE_LIMIT=$(jq .params.limits.message <<<"$FE_HELLO")
        jq -n --argjson id "$1" --arg name "$FE_FRONTEND" --arg version "$FE_VERSION" '{$id, result:
            {protocol: "1.0", frontend: {$name, $version}, provides: []}}' | fe_send
    fi
}

fe_work() {
    FE_PARAMS=$(jq -c .params <<<"$FE_MESSAGE")
    if [[ -e $FE_TMP/given-up ]] || ! jq -e '(.buildFile.name | type == "string") and (.buildFile.content | type | . ==
        "object" or . == "string") and (.workerPlatforms[0] | type == "object")' <<<"$FE_PARAMS" >/dev/null 2>&1; then
        fe_refuse "$1" invalidParams '"build" lacks a member or has a malformed one'
        FE_DONE=1
        return
    fi
    FE_WORK=$1 FE_DONE=1 FE_CALLS=0 FE_FILE=$FE_TMP/build-file
    FE_NAME=$(jq -r .buildFile.name <<<"$FE_PARAMS")
    FE_PLATFORM=$(jq -c '(.options.platform // "" | split(",") | map(split("/") | select(length > 1) | {os: .[0],
        architecture: .[1]} + if .[2] then {variant: .[2]} else {} end) | .[0]) // .workerPlatforms[0]' <<<"$FE_PARAMS")
    if jq -e '.buildFile.content | type == "string"' <<<"$FE_PARAMS" >/dev/null; then
        jq -j .buildFile.content <<<"$FE_PARAMS" >"$FE_FILE"
    else
        mv "$FE_TMP/$(jq .buildFile.content.blob <<<"$FE_PARAMS")" "$FE_FILE"
    fi
    build
    fe_refuse "$FE_WORK" internal "$FE_FRONTEND: no result"
}

# Goes on until stdin ends, when the work is answered.
fe_rest() {
    FE_WORK=
    while :; do
        fe_receive
        fe_handle
    done
}

# fe_fail MESSAGE: ends the build with a message for its user, who reads it as it is: name file and line.
fe_fail() {
    fe_refuse "$FE_WORK" buildFile "$1"
    fe_rest
}

# fe_offers CAPABILITY: whether the engine offers one.
fe_offers() { jq -e --arg name "$1" '.params.capabilities | index($name)' <<<"$FE_HELLO" >/dev/null; }

# fe_try METHOD CAPABILITY: makes a request, its params on stdin, and waits: FE_RESULT is the result as JSON. When it fails,
# gives 1, and FE_KIND, FE_ERROR and FE_DATA tell.
fe_try() {
    local params
    params=$(cat)
    FE_KIND='' FE_ERROR='' FE_DATA='{}'
    if ! fe_offers "$2"; then
        FE_KIND=unsupported
        FE_ERROR="$(jq -r '.params.engine | "\(.name) \(.version)"' <<<"$FE_HELLO") does not offer \"$1\""
        return 1
    fi
    ((++FE_CALLS))
    if ! jq --argjson id "$FE_CALLS" --arg method "$1" '{$id, $method, params: .}' <<<"$params" | fe_send; then
        FE_KIND=limit FE_ERROR="a message longer than the engine takes" FE_CALLS=$((FE_CALLS - 1))
        return 1
    fi
    FE_DATA="{\"request\": $FE_CALLS}"
    while fe_receive && jq -e .method <<<"$FE_MESSAGE" >/dev/null; do fe_handle; done
    [[ $(jq .id <<<"$FE_MESSAGE") = "$FE_CALLS" ]] || fe_broken "an answer nobody asked for"
    FE_RESULT=$(jq -c '.result // {}' <<<"$FE_MESSAGE")
    FE_KIND=$(jq -r 'if .error then .error.data.kind // "internal" else "" end' <<<"$FE_MESSAGE")
    FE_ERROR=$(jq -r '.error.message // ""' <<<"$FE_MESSAGE")
    [[ ! -e $FE_TMP/given-up ]] || FE_KIND=cancelled FE_ERROR="the engine gave a blob of its answer up"
    [[ -z $FE_KIND ]]
}

# fe_call METHOD CAPABILITY: the same, but a failure ends the build, and the engine's error is passed on.
fe_call() {
    fe_try "$@" && return
    fe_refuse "$FE_WORK" "$FE_KIND" "$FE_ERROR" "$FE_DATA"
    fe_rest
}

# fe_solve: FE_REF becomes a ref, as JSON, of the definition ({"def":…}) on stdin.
fe_solve() {
    fe_offers solve.json || fe_fail "this engine takes no LLB as JSON"
    fe_call solve solve < <(jq '{definition: {json: .}}')
    FE_REF=$(jq -c .ref <<<"$FE_RESULT")
}

# fe_read LOCAL PATH FILE: copies a file of a local source (`context`); gives 1 when there is none.
fe_read() {
    fe_solve < <(jq -n --arg id "local://$1" --arg path "$2" '{def: {source: {source: {identifier: $id, attrs:
        {"local.followpaths": ([$path] | tojson), "local.sharedkeyhint": "\($id)-\($path)"}}},
        result: {inputs: [{digest: "source"}]}}}')
    local ref=$FE_REF size=0
    : >"$3"
    while :; do
        if ! fe_try readFile readFile < <(jq -n --argjson ref "$ref" --arg path "$2" --argjson offset "$size" \
            '{$ref, $path, $offset}'); then
            [[ $FE_KIND != notFound ]] || return 1
            fe_refuse "$FE_WORK" "$FE_KIND" "$FE_ERROR" "$FE_DATA"
            fe_rest
        fi
        if jq -e '.data | type == "string"' <<<"$FE_RESULT" >/dev/null; then
            jq -j .data <<<"$FE_RESULT" >>"$3"
        else
            cat "$FE_TMP/$(jq .data.blob <<<"$FE_RESULT")" >>"$3"
        fi
        [[ $(jq .eof <<<"$FE_RESULT") = false && $(stat -c %s "$3") != "$size" ]] || return 0
        size=$(stat -c %s "$3")
    done
}

# fe_file PATH FILE [MODE]: a file action that writes a file of the frontend's own.
fe_file() {
    base64 -w0 "$2" | jq -R -s -c --arg path "$1" --argjson mode $((8#${3:-644})) \
        '{mkfile: {$path, $mode, data: ., timestamp: -1}}'
}

# fe_actions [BASE]: the definition of file actions, as JSON lines on stdin, on an image (scratch without one).
fe_actions() {
    jq -s -c --arg base "${1-}" --argjson platform "$FE_PLATFORM" '. as $actions | (if $base == "" then 0 else 1 end) as $inputs
        | {def: ({op1: ({file: {actions: [range($actions | length) as $i | $actions[$i] + {
                input: (if $i == 0 then $inputs - 1 else $inputs + $i - 1 end), secondaryInput: -1,
                output: (if $i == ($actions | length) - 1 then 0 else -1 end)}]}}
            + if $inputs == 1 then {inputs: [{digest: "base"}]} else {} end),
            result: {inputs: [{digest: (if $actions == [] then "base" else "op1" end)}]}}
            + if $inputs == 1 then {base: {source: {identifier: "docker-image://\($base)"}, platform: {OS: $platform.os,
                Architecture: $platform.architecture, Variant: ($platform.variant // "")}}} else {} end)}
        | if $actions == [] then del(.def.op1) else . end | if $actions == [] and $inputs == 0 then .def = {} else . end'
}

# fe_result CONFIG: solves the definition on stdin, answers with it and an image config whose `config` is CONFIG, and ends.
fe_result() {
    fe_solve
    jq -n --argjson id "$FE_WORK" --argjson ref "$FE_REF" --argjson platform "$FE_PLATFORM" --argjson config "${1:-{\}}" '{$id,
        result: {refs: [{id: ([$platform.os, $platform.architecture, $platform.variant] | map(select(.)) | join("/")), $ref,
        $platform, config: ($platform + {rootfs: {type: "layers", diff_ids: []}, history: [], $config} | tojson)}]}}' | fe_send
    fe_rest
}

# fe_main NAME VERSION: runs the frontend until the engine closes stdin.
fe_main() {
    FE_FRONTEND=$1 FE_VERSION=$2 FE_LIMIT=$((1 << 24))
    if [[ -t 0 ]]; then
        echo "$1 $2 is a frontend for an image builder; it is started by one" >&2
        exit 64
    fi
    shopt -s lastpipe  # A pipeline may end with fe_result, which ends the build.
    exec 4<&0 5>&1 0</dev/null 1>&2
    FE_TMP=$(mktemp -d)
    trap 'rm -rf "$FE_TMP"' EXIT
    if [[ ${FRONTEND_WAIT-} = 1 ]]; then
        echo "process $$ waits: kill -CONT $$" >&2
        kill -STOP $$
    fi
    fe_rest
}
