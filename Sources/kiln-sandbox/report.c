// SPDX-License-Identifier: Apache-2.0

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

static int status_fd = -1;
static int launcher_socket = -1;
static void (*undo_on_failure)(void);

void report_to_status(int fd) { status_fd = fd; }
void report_to_launcher(int socket) { launcher_socket = socket; }
void report_on_failure(void (*undo)(void)) { undo_on_failure = undo; }

// Writes `text` as the inside of a JSON string. Bytes above 127 pass as they are, unless they could not be UTF-8.
static size_t escape(char *out, size_t capacity, const char *text) {
    size_t n = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c != 0 && n + 7 < capacity; c++) {
        if (*c == '"' || *c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)*c;
        } else if (*c < 0x20 || *c >= 0x7f) {
            n += (size_t)snprintf(out + n, capacity - n, "\\u%04x", *c);
        } else {
            out[n++] = (char)*c;
        }
    }
    out[n] = 0;
    return n;
}

static void say(const char *line, size_t length) {
    // One write below PIPE_BUF: a line is whole or absent. An engine that is gone needs no report.
    if (status_fd >= 0 && write(status_fd, line, length) < 0) return;
}

void report_failure(int error, const char *stage, const char *object) {
    char shown[1600], line[2048];
    escape(shown, sizeof shown, object);
    int n = snprintf(
        line, sizeof line, "{\"state\":\"error\",\"stage\":\"%s\",\"object\":\"%s\",\"errno\":%d}\n", stage, shown, error
    );
    say(line, (size_t)n);
}

void report_running(int pid) {
    char line[64];
    say(line, (size_t)snprintf(line, sizeof line, "{\"state\":\"running\",\"pid\":%d}\n", pid));
}

void report_exit(const struct exit_report *exit) {
    char line[256];
    int n = snprintf(
        line, sizeof line,
        "{\"state\":\"exit\",\"code\":%d,\"signal\":%d,\"oom\":%s,\"userMicros\":%lld,\"systemMicros\":%lld,"
        "\"residentKiB\":%ld}\n",
        exit->code, exit->signal, exit->out_of_memory ? "true" : "false", exit->user_micros, exit->system_micros,
        exit->resident_kib
    );
    say(line, (size_t)n);
}

void fail(int error, const char *stage, const char *object, ...) {
    char shown[CONTROL_OBJECT_BYTES];
    va_list arguments;
    va_start(arguments, object);
    vsnprintf(shown, sizeof shown, object, arguments);
    va_end(arguments);
    if (launcher_socket >= 0) {
        control_send_failure(launcher_socket, error, stage, shown);
        _exit(SETUP_FAILED);
    }
    if (status_fd >= 0)
        report_failure(error, stage, shown);
    else
        dprintf(2, "kiln-sandbox: cannot %s %s: %s\n", stage, shown, strerror(error));
    if (undo_on_failure != NULL) undo_on_failure();
    _exit(SETUP_FAILED);
}
