// SPDX-License-Identifier: Apache-2.0
//
// How failures leave the launcher: by stage, object and errno, in one JSON object a line on the status pipe. The process
// inside the sandbox reports through a socket to the launcher, which passes it on.

#ifndef REPORT_H
#define REPORT_H

#include <stdarg.h>
#include <stddef.h>

// Exit status of the launcher, and of the process inside before its command runs, when the set-up failed.
#define SETUP_FAILED 125

// Where reports go until report_to_launcher is called.
void report_to_status(int fd);
// From now on this process is the one inside: reports go over `socket`.
void report_to_launcher(int socket);
// What to undo before a failure of the launcher ends it.
void report_on_failure(void (*undo)(void));

// Ends the process. `stage` is a verb ("mount"), the formatted object what it was done to; the engine makes
// "cannot mount /proc: permission denied" of it.
_Noreturn void fail(int error, const char *stage, const char *object, ...)
    __attribute__((format(printf, 3, 4)));

// Passes on a failure of the process inside.
void report_failure(int error, const char *stage, const char *object);
void report_running(int pid);

struct exit_report {
    int code;
    int signal;
    int out_of_memory;
    long long user_micros;
    long long system_micros;
    long resident_kib;
};
void report_exit(const struct exit_report *exit);

#endif
