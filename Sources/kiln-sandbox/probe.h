// SPDX-License-Identifier: Apache-2.0
//
// `--probe`: tries what this host lets us do, and answers in JSON on standard output. Descriptors 3, 4 and 5 are empty
// directories of the file system that is to hold layers: lower, upper and work.

#ifndef PROBE_H
#define PROBE_H

_Noreturn void probe(void);

#endif
