// SPDX-License-Identifier: Apache-2.0

#include "groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define PROCESSOR_PERIOD_MICROS 100000

// One group of our own in one hierarchy.
struct group {
    int parent;
    int directory;
};

static const char *group_name;
static const struct fds *joined;
static struct group unified = {-1, -1}, memory = {-1, -1}, pids = {-1, -1}, cpu = {-1, -1};

static int write_text(int directory, const char *file, const char *text) {
    int fd = openat(directory, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

static int write_number(int directory, const char *file, uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return write_text(directory, file, text);
}

static void must_set(int directory, const char *file, uint64_t number) {
    int error = write_number(directory, file, number);
    if (error < 0) fail(-error, "set", "the limit %s to %llu", file, (unsigned long long)number);
}

static bool has(int directory, const char *file) { return faccessat(directory, file, F_OK, 0) == 0; }

static void make(struct group *group, int parent) {
    if (parent < 0) return;
    if (mkdirat(parent, group_name, 0755) < 0) fail(errno, "make", "the control group %s", group_name);
    group->parent = parent;
    group->directory = openat(parent, group_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (group->directory < 0) fail(errno, "open", "the control group %s", group_name);
}

static void limit_memory(uint64_t bytes) {
    if (memory.directory >= 0) {
        must_set(memory.directory, "memory.limit_in_bytes", bytes);
        if (has(memory.directory, "memory.memsw.limit_in_bytes"))
            must_set(memory.directory, "memory.memsw.limit_in_bytes", bytes);
    } else if (unified.directory >= 0 && has(unified.directory, "memory.max")) {
        must_set(unified.directory, "memory.max", bytes);
        write_text(unified.directory, "memory.swap.max", "0");
        // One process out of memory fails the step: the rest would only hang about.
        write_text(unified.directory, "memory.oom.group", "1");
    }
}

static void limit_processes(uint64_t count) {
    if (pids.directory >= 0)
        must_set(pids.directory, "pids.max", count);
    else if (unified.directory >= 0 && has(unified.directory, "pids.max"))
        must_set(unified.directory, "pids.max", count);
}

static void limit_processor(uint64_t millis) {
    uint64_t quota = millis * (PROCESSOR_PERIOD_MICROS / 1000);
    if (cpu.directory >= 0) {
        must_set(cpu.directory, "cpu.cfs_period_us", PROCESSOR_PERIOD_MICROS);
        must_set(cpu.directory, "cpu.cfs_quota_us", quota);
    } else if (unified.directory >= 0 && has(unified.directory, "cpu.max")) {
        char text[48];
        snprintf(text, sizeof text, "%llu %d", (unsigned long long)quota, PROCESSOR_PERIOD_MICROS);
        int error = write_text(unified.directory, "cpu.max", text);
        if (error < 0) fail(-error, "set", "the limit cpu.max to %s", text);
    }
}

int groups_make(const struct launch_spec *spec) {
    const struct groups_spec *groups = &spec->groups;
    group_name = spec->id;
    joined = &groups->join;
    make(&unified, groups->unified);
    make(&memory, groups->memory);
    make(&pids, groups->pids);
    make(&cpu, groups->cpu);
    if (groups->memory_bytes != 0) limit_memory(groups->memory_bytes);
    if (groups->process_count != 0) limit_processes(groups->process_count);
    if (groups->processor_millis != 0) limit_processor(groups->processor_millis);
    return unified.directory;
}

void groups_join(pid_t pid) {
    if (unified.directory < 0) return;
    int error = write_number(unified.directory, "cgroup.procs", (uint64_t)pid);
    if (error < 0) fail(-error, "join", "a control group");
}

static void enter(int directory) {
    if (directory < 0) return;
    int error = write_text(directory, "tasks", "0");
    if (error < 0) fail(-error, "enter", "a control group");
}

void groups_enter(void) {
    enter(memory.directory);
    enter(pids.directory);
    enter(cpu.directory);
    for (size_t i = 0; i < joined->count; i++) enter(joined->items[i]);
}

// Value of a line "key number" of a file, or 0.
static unsigned long long read_counter(int directory, const char *file, const char *key) {
    char text[1024];
    int fd = openat(directory, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    size_t length = strlen(key);
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, length) == 0 && line[length] == ' ') return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

bool groups_were_out_of_memory(void) {
    if (memory.directory >= 0) return read_counter(memory.directory, "memory.oom_control", "oom_kill") > 0;
    return unified.directory >= 0 && read_counter(unified.directory, "memory.events", "oom_kill") > 0;
}

void groups_kill(void) {
    if (unified.directory >= 0) write_text(unified.directory, "cgroup.kill", "1");
}

static void remove_group(struct group *group) {
    if (group->directory < 0) return;
    close(group->directory);
    group->directory = -1;
    // The kernel lets go of the last process a moment after it was reaped. What stays longer the engine removes.
    for (int attempt = 0; attempt < 50; attempt++) {
        if (unlinkat(group->parent, group_name, AT_REMOVEDIR) == 0 || errno != EBUSY) return;
        usleep(1000);
    }
}

void groups_remove(void) {
    remove_group(&unified);
    remove_group(&memory);
    remove_group(&pids);
    remove_group(&cpu);
}
