// SPDX-License-Identifier: Apache-2.0
//
// One sandbox from its birth to its end.

#ifndef LAUNCH_H
#define LAUNCH_H

// Descriptors the engine passes, beside the standard streams.
#define SPEC_FD 3
#define STATUS_FD 4
#define LIVENESS_FD 5

// Runs the sandbox of the spec and ends the process. Its exit status is 0 whatever the command's was, and
// SETUP_FAILED when the command never ran.
_Noreturn void launch(void);

#endif
