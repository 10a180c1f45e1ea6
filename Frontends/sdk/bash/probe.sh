#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The frontend of testing/test_session.py: the first word of the build file says what to do.
. "$(dirname "$0")/frontend.sh"

root() { echo '{"ref": null, "path": "/"}'; }

build() {
    case $(head -c 20 "$FE_FILE" | tr -d '\0' | cut -d ' ' -f 1) in
    print)
        echo goes to stderr
        sh -c 'echo a child prints; cat'
        fe_file /x "$FE_FILE" | fe_actions | fe_result '{"Cmd": ["sh"]}' ;;
    read)
        fe_read context big "$FE_TMP/big" || fe_fail "no big"
        fe_read context missing "$FE_TMP/missing" && fe_fail "missing is there"
        [[ $(stat -c %s "$FE_TMP/big") = 800000 ]] || fe_fail "big has another size"
        : | fe_actions | fe_result ;;
    fail) fe_fail "Buildfile:3: no such word" ;;
    text) iconv -f UTF-8 -t UTF-8 "$FE_FILE" >/dev/null 2>&1 || fe_fail "$FE_NAME: not UTF-8" ;;
    crash) echo a defect ;;
    make) echo '{"mkdir": {"path": "/a", "mode": 493, "timestamp": -1}}' | fe_actions | fe_result ;;
    large) printf %10000s x >"$FE_TMP/large" && fe_file /a "$FE_TMP/large" | fe_actions | fe_result ;;
    stat) fe_call stat readFile < <(root) ;;
    wrap)
        fe_try stat readFile < <(root)
        fe_refuse "$FE_WORK" "$FE_KIND" "Buildfile:1: gone" "$FE_DATA"
        fe_rest ;;
    esac
}

fe_main acme/test 1.2.3
