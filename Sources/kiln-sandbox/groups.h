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
// Puts a process that could not be born there into the version 2 group.
void groups_join(pid_t pid);
// Puts the calling process, which has one thread, into the version 1 groups. To move another process, or a whole one, the
// kernel stops all forks and waits for every processor, 10 ms and more; a thread that moves itself costs nothing.
void groups_enter(void);
// Whether a process in the groups was killed for want of memory.
bool groups_were_out_of_memory(void);
void groups_kill(void);
void groups_remove(void);

#endif
