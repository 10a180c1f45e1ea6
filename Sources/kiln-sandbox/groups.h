// SPDX-License-Identifier: Apache-2.0
//
// The sandbox's control groups: made beneath parents the engine passes, removed when the sandbox has ended.

#ifndef GROUPS_H
#define GROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "spec.h"

// Makes the groups and sets their limits. Returns the version 2 group the process should be born in, or -1.
int groups_make(const struct launch_spec *spec);
// Puts a process that does not run yet into the groups; `was_born_in` tells that it is in the version 2 group already.
void groups_join(pid_t pid, bool was_born_in);
// Whether a process in the groups was killed for want of memory.
bool groups_were_out_of_memory(void);
void groups_kill(void);
void groups_remove(void);

#endif
