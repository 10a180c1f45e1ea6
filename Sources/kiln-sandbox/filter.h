// SPDX-License-Identifier: Apache-2.0
//
// `--compile-seccomp PROFILE`: turns the rules of profiles/PROFILE.json into the filter program the kernel takes, and
// writes it to standard output. Done once and kept by the engine: it costs more than a whole sandbox.

#ifndef FILTER_H
#define FILTER_H

_Noreturn void compile_filter(const char *profile);

#endif
