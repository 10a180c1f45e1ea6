// SPDX-License-Identifier: Apache-2.0

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mountapi.h"
#include "report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILTER_INSTRUCTIONS_MAX 4096
#define BIT(capability) (UINT64_C(1) << (capability))

// What a build step has, as with other engines.
#define STEP_CAPABILITIES                                                                                             \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) \
     | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE)          \
     | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE))

void bring_loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) fail(errno, "find", "the loopback device");
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) fail(errno, "bring up", "the loopback device");
    close(fd);
}

// MARK: Limits

static int limit_number(const char *name) {
    static const struct {
        const char *name;
        int number;
    } limits[] = {
        {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
        {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
        {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
        {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
        {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
        {"stack", RLIMIT_STACK},
    };
    for (size_t i = 0; i < COUNT(limits); i++)
        if (strcmp(limits[i].name, name) == 0) return limits[i].number;
    fail(EINVAL, "set", "the limit %s, which is not known", name);
}

void set_limits(const struct launch_spec *spec) {
    for (size_t i = 0; i < spec->limits.count; i++) {
        const struct limit_spec *limit = &spec->limits.items[i];
        struct rlimit values = {limit->soft, limit->hard};
        if (setrlimit(limit_number(limit->name), &values) < 0) fail(errno, "set", "the limit %s", limit->name);
    }
}

// MARK: The working directory

static int find_directory(int root, const char *path) {
    return open_beneath(root, path, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

// Makes missing directories one by one, owned by the user; returns the last or a negative errno.
static int make_directories(int root, const char *path, const struct user_spec *user) {
    char scratch[4096];
    snprintf(scratch, sizeof scratch, "%s", path);
    int current = find_directory(root, "/");
    char *state = NULL;
    for (char *name = strtok_r(scratch, "/", &state); name != NULL && current >= 0; name = strtok_r(NULL, "/", &state)) {
        size_t length = (size_t)(name - scratch) + strlen(name);
        char sofar[4096];
        memcpy(sofar, path, length);
        sofar[length] = 0;
        int next = find_directory(root, sofar);
        if (next == -ENOENT) {
            if (mkdirat(current, name, 0755) < 0 || fchownat(current, name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW) < 0)
                next = -errno;
            else
                next = find_directory(root, sofar);
        }
        close(current);
        current = next;
    }
    return current;
}

void enter_working_directory(const struct launch_spec *spec) {
    const char *path = spec->working_directory;
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) fail(errno, "open", "the root");
    int fd = find_directory(root, path);
    if (fd == -ENOENT) fd = make_directories(root, path, &spec->user);
    if (fd < 0) fail(-fd, "enter", "the working directory %s", path);
    if (fchdir(fd) < 0) fail(errno, "enter", "the working directory %s", path);
    char shown[4096];
    // A directory outside the root has no path here (CVE-2024-21626).
    if (syscall(SYS_getcwd, shown, sizeof shown) < 0 || shown[0] != '/')
        fail(ENOENT, "enter", "the working directory %s", path);
    close(fd);
    close(root);
}

// MARK: Rights

static void set_capabilities(uint64_t permitted, uint64_t inheritable) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)permitted, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(permitted >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    if (syscall(SYS_capset, &header, data) < 0) fail(errno, "set", "the capabilities");
}

static uint64_t permitted_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) fail(errno, "read", "the capabilities");
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

static uint64_t allowed_capabilities(const struct launch_spec *spec) {
    switch ((enum profile)spec->profile) {
    case PROFILE_STEP: return STEP_CAPABILITIES;
    case PROFILE_INSECURE: return UINT64_MAX;
    case PROFILE_FRONTEND: return 0;
    }
    return 0;
}

static void limit_bounding_set(uint64_t allowed) {
    for (int capability = 0; capability <= 63; capability++) {
        int is_known = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (is_known < 0) return;
        if (is_known == 0 || (allowed & BIT(capability))) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) fail(errno, "drop", "capability %d", capability);
    }
}

// A user namespace of a single user forbids setgroups: the groups it would drop mean nothing there.
static bool are_groups_fixed(void) {
    char text[8] = "";
    int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n >= 4 && strncmp(text, "deny", 4) == 0;
}

static void set_identity(const struct user_spec *user) {
    // The primary group is among the supplementary ones, as with other engines.
    gid_t *groups = calloc(user->group_count + 1, sizeof(gid_t));
    if (groups == NULL) fail(ENOMEM, "set", "the groups");
    size_t count = 0;
    groups[count++] = user->gid;
    for (size_t i = 0; i < user->group_count; i++)
        if (user->groups[i] != user->gid) groups[count++] = user->groups[i];
    if (setgroups(count, groups) < 0 && !(errno == EPERM && are_groups_fixed())) fail(errno, "set", "the groups");
    free(groups);
    if (setresgid(user->gid, user->gid, user->gid) < 0) fail(errno, "become", "group %u", user->gid);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) fail(errno, "keep", "the capabilities");
    if (setresuid(user->uid, user->uid, user->uid) < 0) fail(errno, "become", "user %u", user->uid);
}

// The launcher's death is ours. The kernel forgets this when a process changes its user, so it comes after that.
static void die_with_launcher(int launcher) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) fail(errno, "bind to", "the launcher");
    char byte;
    ssize_t n = recv(launcher, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) _exit(SETUP_FAILED);
}

static void load_filter(int fd) {
    static struct sock_filter instructions[FILTER_INSTRUCTIONS_MAX];
    ssize_t n = pread(fd, instructions, sizeof instructions, 0);
    if (n <= 0 || n == sizeof instructions || n % sizeof instructions[0] != 0)
        fail(n < 0 ? errno : EINVAL, "read", "the system call filter");
    struct sock_fprog program = {(unsigned short)(n / (ssize_t)sizeof instructions[0]), instructions};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
        fail(errno, "load", "the system call filter");
}

void become_user(const struct launch_spec *spec, int launcher) {
    uint64_t permitted = permitted_capabilities();
    uint64_t allowed = allowed_capabilities(spec) & permitted;
    limit_bounding_set(allowed);
    set_identity(&spec->user);
    die_with_launcher(launcher);
    if (spec->profile == PROFILE_FRONTEND) {
        set_capabilities(0, 0);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail(errno, "give up", "new privileges");
        load_filter(spec->filter);
        return;
    }
    // Without "no new privileges" only CAP_SYS_ADMIN may load a filter: take back what the change of user took.
    set_capabilities(permitted, 0);
    if (spec->filter >= 0) load_filter(spec->filter);
    bool is_insecure = spec->profile == PROFILE_INSECURE;
    set_capabilities(allowed, is_insecure ? allowed : 0);
    for (int capability = 0; is_insecure && capability <= 63; capability++)
        if (allowed & BIT(capability)) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
}

// MARK: The command

static const char *variable(const struct launch_spec *spec, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < spec->environment.count; i++) {
        const char *entry = spec->environment.items[i];
        if (strncmp(entry, name, length) == 0 && entry[length] == '=') return entry + length + 1;
    }
    return NULL;
}

// Runs a file, or returns why not.
static int run_file(const char *path, const struct launch_spec *spec) {
    int error;
    // The engine may have written the file a moment ago, and a process it is just starting may still hold it open.
    for (int attempt = 0; attempt < 20; attempt++) {
        execve(path, spec->arguments.items, spec->environment.items);
        error = errno;
        if (error != ETXTBSY) break;
        usleep(1000);
    }
    // A script whose interpreter is missing looks like a missing script.
    if (error == ENOENT && access(path, F_OK) == 0) fail(ENOENT, "run", "%s, whose interpreter is missing", path);
    return error;
}

static int run_directory_entry(const char *directory, size_t length, const struct launch_spec *spec) {
    char path[4096];
    const char *name = spec->arguments.items[0];
    int n = length == 0 ? snprintf(path, sizeof path, "./%s", name)
                        : snprintf(path, sizeof path, "%.*s/%s", (int)length, directory, name);
    if (n >= (int)sizeof path) return ENAMETOOLONG;
    struct stat status;
    if (stat(path, &status) < 0) return errno;
    if (S_ISDIR(status.st_mode)) return EACCES;
    return run_file(path, spec);
}

_Noreturn static void run_by_search(const struct launch_spec *spec) {
    const char *name = spec->arguments.items[0];
    const char *path = variable(spec, "PATH");
    if (path == NULL) path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int worst = ENOENT;
    for (const char *directory = path; directory != NULL;) {
        size_t length = strcspn(directory, ":");
        int error = run_directory_entry(directory, length, spec);
        if (error == EACCES)
            worst = EACCES;
        else if (error != ENOENT && error != ENOTDIR)
            fail(error, "run", "%s", name);
        directory = directory[length] == 0 ? NULL : directory + length + 1;
    }
    fail(worst, "run", "%s, looked up in PATH=%s", name, path);
}

void run_command(const struct launch_spec *spec) {
    const char *name = spec->arguments.items[0];
    if (spec->executable_tree >= 0) fail(run_file(EXECUTABLE_PATH, spec), "run", "%s", name);
    if (spec->executable >= 0) {
        syscall(SYS_execveat, spec->executable, "", spec->arguments.items, spec->environment.items, AT_EMPTY_PATH);
        fail(errno, "run", "%s", name);
    }
    if (strchr(name, '/') == NULL) run_by_search(spec);
    fail(run_file(name, spec), "run", "%s", name);
}
