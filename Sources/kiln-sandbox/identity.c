// SPDX-License-Identifier: Apache-2.0

#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
// The machine's "nobody", where no user namespace can be made.
#define NOBODY 65534

// MARK: Frontends

static int write_process_file(pid_t pid, const char *name, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

// Maps id 0 of the process to the first id that the kernel lets us give away.
static void map_one(pid_t pid, const char *file, unsigned own) {
    // Far above what systems and container engines hand out; then the classic nobody; then ourselves.
    const unsigned candidates[] = {2000000000, NOBODY, own};
    int error = 0;
    for (size_t i = 0; i < COUNT(candidates); i++) {
        char text[32];
        snprintf(text, sizeof text, "0 %u 1", candidates[i]);
        error = write_process_file(pid, file, text);
        if (error == 0) return;
    }
    fail(-error, "map", "the users of the sandbox");
}

void map_frontend_user(pid_t pid) {
    map_one(pid, "uid_map", geteuid());
    // Where setgroups is still allowed, only a privileged engine may map groups.
    char text[32];
    snprintf(text, sizeof text, "0 %u 1", 2000000000U);
    if (write_process_file(pid, "gid_map", text) == 0) return;
    write_process_file(pid, "setgroups", "deny");
    map_one(pid, "gid_map", getegid());
}

void become_namespace_root(void) {
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) fail(errno, "become", "root of the user namespace");
}

struct user_spec frontend_user(bool has_user_namespace) {
    unsigned id = has_user_namespace ? 0 : NOBODY;
    return (struct user_spec){.uid = id, .gid = id};
}

// MARK: Engines of ordinary users

struct range {
    unsigned long first;
    unsigned long count;
};

// The name /etc/passwd gives a user; a statically linked program cannot ask other directories. "" when it has none.
static void read_name(uid_t uid, char *name, size_t size) {
    name[0] = 0;
    FILE *stream = fopen("/etc/passwd", "re");
    char line[1024];
    while (stream != NULL && fgets(line, sizeof line, stream) != NULL) {
        char *rest = line;
        const char *found = strsep(&rest, ":");
        strsep(&rest, ":");
        if (rest == NULL || strtoul(rest, NULL, 10) != uid) continue;
        snprintf(name, size, "%s", found);
        break;
    }
    if (stream != NULL) fclose(stream);
}

// The first range that /etc/subuid or /etc/subgid grants a user, by name or number.
static struct range read_range(const char *file, const char *name, uid_t uid) {
    struct range range = {0, 0};
    FILE *stream = fopen(file, "re");
    if (stream == NULL) return range;
    char number[16], line[512];
    snprintf(number, sizeof number, "%u", uid);
    while (range.count == 0 && fgets(line, sizeof line, stream) != NULL) {
        char *rest = line;
        const char *owner = strsep(&rest, ":");
        if (rest == NULL || (strcmp(owner, number) != 0 && (name[0] == 0 || strcmp(owner, name) != 0))) continue;
        struct range found;
        if (sscanf(rest, "%lu:%lu", &found.first, &found.count) == 2) range = found;
    }
    fclose(stream);
    return range;
}

// Runs newuidmap or newgidmap for a process: its own id as 0, and the range from 1 on. Returns whether it worked.
static bool map_range(const char *tool, pid_t pid, unsigned own, struct range range) {
    char process[16], id[16], first[24], count[24];
    snprintf(process, sizeof process, "%d", (int)pid);
    snprintf(id, sizeof id, "%u", own);
    snprintf(first, sizeof first, "%lu", range.first);
    snprintf(count, sizeof count, "%lu", range.count);
    pid_t helper = fork();
    if (helper == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 2);
        execlp(tool, tool, process, "0", id, "1", "1", first, count, (char *)NULL);
        _exit(127);
    }
    int status;
    if (helper < 0 || waitpid(helper, &status, 0) < 0) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void map_own(pid_t pid, unsigned uid, unsigned gid) {
    char text[32];
    write_process_file(pid, "setgroups", "deny");
    snprintf(text, sizeof text, "0 %u 1", uid);
    int error = write_process_file(pid, "uid_map", text);
    if (error < 0) fail(-error, "map", "user %u", uid);
    snprintf(text, sizeof text, "0 %u 1", gid);
    error = write_process_file(pid, "gid_map", text);
    if (error < 0) fail(-error, "map", "group %u", gid);
}

// Waits for the namespace to exist, and maps ids into it from outside, as newuidmap demands.
_Noreturn static void map_from_outside(pid_t engine, unsigned uid, unsigned gid, int ready) {
    char byte;
    if (read(ready, &byte, 1) != 1) _exit(1);
    char name[64];
    read_name(uid, name, sizeof name);
    struct range users = read_range("/etc/subuid", name, uid);
    struct range groups = read_range("/etc/subgid", name, uid);
    bool has_ranges = users.count > 0 && groups.count > 0;
    if (!has_ranges || !map_range("newuidmap", engine, uid, users)) _exit(1);
    if (!map_range("newgidmap", engine, gid, groups)) _exit(2);
    _exit(0);
}

void enter_user_namespace(char **command) {
    unsigned uid = geteuid(), gid = getegid();
    pid_t engine = getpid();
    int ready[2];
    if (pipe(ready) < 0) fail(errno, "make", "a pipe");
    pid_t mapper = fork();
    if (mapper < 0) fail(errno, "start", "a process");
    if (mapper == 0) {
        close(ready[1]);
        map_from_outside(engine, uid, gid, ready[0]);
    }
    close(ready[0]);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        fail(errno, "make", "a user namespace; run as root, or allow user namespaces to ordinary users");
    if (write(ready[1], "1", 1) != 1) fail(errno, "start", "mapping the users");
    close(ready[1]);
    int status;
    if (waitpid(mapper, &status, 0) < 0) fail(errno, "wait for", "mapping the users");
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 2) fail(EINVAL, "map", "the groups of /etc/subgid");
    if (WEXITSTATUS(status) != 0) map_own(engine, uid, gid);
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) fail(errno, "become", "root of the user namespace");
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) fail(errno, "make private", "the mounts");
    execvp(command[0], command);
    fail(errno, "run", "%s", command[0]);
}

// MARK: Where we are

static int count_mapped(unsigned long *total) {
    FILE *stream = fopen("/proc/self/uid_map", "re");
    if (stream == NULL) return 0;
    int lines = 0;
    unsigned long inside, outside, count;
    *total = 0;
    while (fscanf(stream, "%lu %lu %lu", &inside, &outside, &count) == 3) {
        lines++;
        *total += count;
    }
    fclose(stream);
    return lines;
}

bool is_in_user_namespace(void) {
    unsigned long total = 0;
    return count_mapped(&total) != 1 || total != 4294967295UL;
}

bool has_many_users(void) {
    unsigned long total = 0;
    count_mapped(&total);
    return total > 1;
}
