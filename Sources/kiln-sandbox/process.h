// SPDX-License-Identifier: Apache-2.0
//
// What the process inside becomes: its directory, limits, identity, rights, and at last its command.

#ifndef PROCESS_H
#define PROCESS_H

#include "spec.h"

void bring_loopback_up(void);
void set_limits(const struct launch_spec *spec);
// Makes the working directory when it is missing, and enters it.
void enter_working_directory(const struct launch_spec *spec);
// Gives up every right the profile does not have, and loads the filter. `launcher` is the socket to the launcher: its
// end is the launcher's.
void become_user(const struct launch_spec *spec, int launcher);
_Noreturn void run_command(const struct launch_spec *spec);

#endif
