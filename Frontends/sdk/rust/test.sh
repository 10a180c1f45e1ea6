#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tests of frontend.rs: Frontends/sdk/rust/test.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rustc --edition 2021 -D warnings -O -o "$work/probe" "$here/probe.rs"

# Of all SDKs' tests, those about what frontend.rs has.
tests=(answers_what_it_does_not_know builds_and_keeps_prints_off_the_protocol chooses_a_version_or_says_which_it_speaks
    ends_when_the_engine_breaks_the_protocol exits_when_stdin_ends_before_and_during_a_build
    gives_up_when_nobody_wants_the_build passes_the_engines_errors_on_with_their_request reads_blobs_in_every_form
    reads_byte_by_byte refuses_a_message_beyond_the_limit_itself says_what_is_wrong
    speaks_the_protocol_whatever_its_arguments survives_its_own_defects waits_for_a_debugger)
python3 "$here/../testing/test_session.py" "${tests[@]/#/SessionTests.test_}" -- "$work/probe"

# Files are read in pieces, whole, and missing ones are told; a graph may be deep.
for _ in $(seq 50000); do printf 0123456789abcdef; done >"$work/big"
for deed in read deep; do
    printf %s "$deed" >"$work/Buildfile"
    python3 "$here/../testing/drive.py" --local context="$work" "$work/Buildfile" -- "$work/probe" >"$work/out"
done
[ "$(jq '.result.refs[0].ref.def | length' "$work/out")" = 5002 ]
