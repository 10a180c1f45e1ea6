// SPDX-License-Identifier: Apache-2.0
//
// User namespaces: of a frontend, and of a whole engine that an ordinary user started.

#ifndef IDENTITY_H
#define IDENTITY_H

#include <sys/types.h>

#include "spec.h"

// Maps root of a new process's user namespace to a user that owns nothing.
void map_frontend_user(pid_t pid);
// Becomes root of the user namespace this process was born in.
void become_namespace_root(void);
// Who a frontend is: root of its namespace, or nobody of the machine where it has none.
struct user_spec frontend_user(bool has_user_namespace);

// `--enter-userns -- PROGRAM ARGUMENTS…`: runs a program as root of a new user and mount namespace, with all ids
// that /etc/subuid and /etc/subgid grant the caller, else with the caller's own only.
_Noreturn void enter_user_namespace(char **command);

// Whether this process is in a user namespace other than the machine's, and whether that has more than one user.
bool is_in_user_namespace(void);
bool has_many_users(void);

#endif
