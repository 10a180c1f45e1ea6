// SPDX-License-Identifier: Apache-2.0

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RESULT(call)                         \
    do {                                     \
        long result_ = (long)(call);         \
        return result_ < 0 ? -errno : result_; \
    } while (0)

int cl_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    long fd;
    // The kernel answers EAGAIN when a rename raced with a scoped lookup; a bounded retry is right.
    for (int attempt = 0; attempt < 64; attempt++) {
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return fd < 0 ? -errno : (int)fd;
}

int cl_open_flag_path(void) { return O_PATH; }
int cl_open_flag_tmpfile(void) { return O_TMPFILE; }
uint64_t cl_resolve_beneath(void) { return RESOLVE_BENEATH; }
uint64_t cl_resolve_in_root(void) { return RESOLVE_IN_ROOT; }
uint64_t cl_resolve_no_symlinks(void) { return RESOLVE_NO_SYMLINKS; }
uint64_t cl_resolve_no_magiclinks(void) { return RESOLVE_NO_MAGICLINKS; }

int cl_statx(int dirfd, const char *path, int follow, struct cl_stat *out) {
    struct statx x;
    int flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
    if (statx(dirfd, path, flags, STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0) return -errno;
    *out = (struct cl_stat){
        .ino = x.stx_ino,
        .size = x.stx_size,
        .blocks = x.stx_blocks,
        .dev = makedev(x.stx_dev_major, x.stx_dev_minor),
        .mount_id = x.stx_mnt_id,
        .mtime_sec = x.stx_mtime.tv_sec,
        .mtime_nsec = x.stx_mtime.tv_nsec,
        .ctime_sec = x.stx_ctime.tv_sec,
        .ctime_nsec = x.stx_ctime.tv_nsec,
        .mode = x.stx_mode,
        .uid = x.stx_uid,
        .gid = x.stx_gid,
        .nlink = x.stx_nlink,
        .rdev_major = x.stx_rdev_major,
        .rdev_minor = x.stx_rdev_minor,
    };
    return 0;
}

int cl_renameat2(int fromfd, const char *from, int tofd, const char *to, unsigned flags) {
    RESULT(renameat2(fromfd, from, tofd, to, flags));
}

int cl_linkat_fd(int fd, int tofd, const char *to) {
    char source[64];
    snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    RESULT(linkat(AT_FDCWD, source, tofd, to, AT_SYMLINK_FOLLOW));
}

int cl_mknodat(int dirfd, const char *path, uint32_t mode, uint32_t major_, uint32_t minor_) {
    RESULT(mknodat(dirfd, path, mode, makedev(major_, minor_)));
}

int cl_utimensat(int dirfd, const char *path, int64_t sec, int64_t nsec) {
    struct timespec times[2] = {{.tv_sec = sec, .tv_nsec = nsec}, {.tv_sec = sec, .tv_nsec = nsec}};
    RESULT(utimensat(dirfd, path, times, AT_SYMLINK_NOFOLLOW));
}

int cl_fchmodat_nofollow(int dirfd, const char *path, uint32_t mode) {
    // fchmodat2(2) is newer than the kernels we support: go through an O_PATH descriptor, which cannot
    // be swapped for a symlink between the check and the change.
    int fd = openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct stat st;
    int error = fstat(fd, &st) < 0 ? errno : S_ISLNK(st.st_mode) ? EOPNOTSUPP : 0;
    if (error == 0) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (chmod(link, mode) < 0) error = errno;
    }
    close(fd);
    return -error;
}

int cl_memfd_create(const char *name, int sealable) {
    RESULT(memfd_create(name, MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0)));
}

int cl_memfd_seal(int fd) {
    RESULT(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}

int cl_read_only_mount(int fd) {
    int mount = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (mount < 0) return -errno;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) return mount;
    int error = errno;
    close(mount);
    return -error;
}

// An address by way of an open directory: sun_path has room for 107 bytes only.
static int unix_address(struct sockaddr_un *address, int dirfd, const char *name) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
    return n < (int)sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

int cl_unix_listen(int dirfd, const char *name) {
    struct sockaddr_un address;
    int error = unix_address(&address, dirfd, name);
    if (error < 0) return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0) return fd;
    error = errno;
    close(fd);
    return -error;
}

int cl_unix_connect(const char *path) {
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX];
    size_t length = slash == NULL ? 1 : (size_t)(slash - path) + 1;
    if (length >= sizeof directory) return -ENAMETOOLONG;
    memcpy(directory, slash == NULL ? "." : path, length);
    directory[length] = 0;
    int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0) return -errno;
    struct sockaddr_un address;
    int error = unix_address(&address, dirfd, slash == NULL ? path : slash + 1);
    int fd = error < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (error == 0 && (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)) error = -errno;
    close(dirfd);
    if (error == 0) return fd;
    if (fd >= 0) close(fd);
    return error;
}

int cl_unix_accept(int fd) { RESULT(accept4(fd, NULL, NULL, SOCK_CLOEXEC)); }

int cl_relay(int left, int right, int stop) {
    const int ends[2] = {left, right};
    // Who does not read what it asked for holds nobody up for long.
    const struct timeval patience = {.tv_sec = 10};
    for (int i = 0; i < 2; i++) setsockopt(ends[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool is_open[2] = {true, true};
    while (is_open[0] || is_open[1]) {
        struct pollfd entries[3] = {
            {.fd = is_open[0] ? left : -1, .events = POLLIN},
            {.fd = is_open[1] ? right : -1, .events = POLLIN},
            {.fd = stop, .events = POLLIN},
        };
        if (poll(entries, 3, -1) < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        if (entries[2].revents != 0) return 0;
        for (int i = 0; i < 2; i++) {
            if (entries[i].revents == 0) continue;
            char buffer[1 << 14];
            ssize_t n = read(ends[i], buffer, sizeof buffer);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                shutdown(ends[1 - i], SHUT_WR);
                is_open[i] = false;
                continue;
            }
            for (ssize_t put = 0; put < n;) {
                ssize_t m = send(ends[1 - i], buffer + put, (size_t)(n - put), MSG_NOSIGNAL);
                if (m < 0 && errno == EINTR) continue;
                if (m < 0) return -errno;
                put += m;
            }
        }
    }
    return 0;
}

int cl_pipe2(int fds[2], int flags) { RESULT(pipe2(fds, flags | O_CLOEXEC)); }
int cl_syncfs(int fd) { RESULT(syncfs(fd)); }

int cl_flock(int fd, int exclusive, int nonblocking) {
    struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    int result;
    do result = fcntl(fd, nonblocking ? F_OFD_SETLK : F_OFD_SETLKW, &lock);
    while (result < 0 && errno == EINTR);
    return result < 0 ? (errno == EACCES ? -EAGAIN : -errno) : 0;
}

int cl_unlock(int fd) {
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    RESULT(fcntl(fd, F_OFD_SETLK, &lock));
}

int cl_lock_byte(int fd, int64_t offset, int unlock) {
    struct flock lock = {
        .l_type = unlock ? F_UNLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = offset,
        .l_len = 1,
    };
    int result = fcntl(fd, F_OFD_SETLK, &lock);
    return result < 0 ? (errno == EACCES ? -EAGAIN : -errno) : 0;
}

int cl_byte_is_locked(int fd, int64_t offset) {
    struct flock lock = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = offset,
        .l_len = 1,
    };
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0) return -errno;
    return lock.l_type != F_UNLCK;
}

static int64_t copy_by_hand(int infd, int outfd, int64_t done) {
    size_t capacity = 256 * 1024;
    char *buffer = malloc(capacity);
    if (buffer == NULL) return -ENOMEM;
    int64_t result = done;
    for (;;) {
        ssize_t got = pread(infd, buffer, capacity, result);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            if (got < 0) result = -errno;
            break;
        }
        for (ssize_t put = 0; put < got;) {
            ssize_t n = pwrite(outfd, buffer + put, (size_t)(got - put), result + put);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) {
                result = -errno;
                free(buffer);
                return result;
            }
            put += n;
        }
        result += got;
    }
    free(buffer);
    return result;
}

int64_t cl_copy_file(int infd, int outfd) {
    int64_t done = 0;
    for (;;) {
        loff_t in = done, out = done;
        ssize_t n = copy_file_range(infd, &in, outfd, &out, 1 << 30, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) return done == 0 ? copy_by_hand(infd, outfd, 0) : done;
        if (n < 0) {
            if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS
                || errno == EBADF || errno == ETXTBSY)
                return copy_by_hand(infd, outfd, done);
            return -errno;
        }
        done += n;
    }
}

// Copies one range; a short source ends it early.
static int64_t copy_range(int infd, int outfd, int64_t from, int64_t to) {
    char *buffer = NULL;
    int64_t at = from;
    while (at < to) {
        loff_t in = at, out = at;
        ssize_t n = buffer != NULL ? -1 : copy_file_range(infd, &in, outfd, &out, (size_t)(to - at), 0);
        if (n < 0 && buffer == NULL) {
            if (errno == EINTR) continue;
            if (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG) return -errno;
            buffer = malloc(1 << 18);
            if (buffer == NULL) return -ENOMEM;
        }
        if (buffer != NULL) {
            size_t want = (size_t)(to - at) < (1 << 18) ? (size_t)(to - at) : 1 << 18;
            n = pread(infd, buffer, want, at);
            for (ssize_t put = 0; put < n;) {
                ssize_t m = pwrite(outfd, buffer + put, (size_t)(n - put), at + put);
                if (m < 0 && errno == EINTR) continue;
                if (m < 0) {
                    n = -1;
                    break;
                }
                put += m;
            }
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int error = errno;
            free(buffer);
            return -error;
        }
        if (n == 0) break;
        at += n;
    }
    free(buffer);
    return at - from;
}

int64_t cl_copy_sparse(int infd, int outfd, int64_t size) {
    int64_t at = 0, copied = 0;
    while (at < size) {
        off_t data = lseek(infd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break; // the rest is a hole
        off_t hole = data < 0 ? size : lseek(infd, data, SEEK_HOLE);
        if (data < 0) data = at; // no such calls on this file system: all is data
        if (hole < 0 || hole > size) hole = size;
        if (data >= hole) break;
        int64_t n = copy_range(infd, outfd, data, hole);
        if (n < 0) return n;
        copied += n;
        if (n < hole - data) return copied;
        at = hole;
    }
    return ftruncate(outfd, size) < 0 ? -errno : copied;
}

int cl_fallocate(int fd, int64_t length) { RESULT(fallocate(fd, 0, 0, length)); }

int cl_getrandom(void *buffer, size_t length) {
    ssize_t n = getrandom(buffer, length, 0);
    return n < 0 ? -errno : (size_t)n == length ? 0 : -EIO;
}

// The *at forms of the xattr calls came with Linux 6.13: reach the entry through its O_PATH parent.
static int entry_path(int dirfd, const char *path, char out[static 4200]) {
    int n = snprintf(out, 4200, "/proc/self/fd/%d/%s", dirfd, path);
    return n < 0 || n >= 4200 ? -ENAMETOOLONG : 0;
}

ssize_t cl_llistxattrat(int dirfd, const char *path, char *list, size_t size) {
    char full[4200];
    int error = entry_path(dirfd, path, full);
    if (error < 0) return error;
    RESULT(llistxattr(full, list, size));
}

ssize_t cl_lgetxattrat(int dirfd, const char *path, const char *name, void *value, size_t size) {
    char full[4200];
    int error = entry_path(dirfd, path, full);
    if (error < 0) return error;
    RESULT(lgetxattr(full, name, value, size));
}

int cl_lsetxattrat(int dirfd, const char *path, const char *name, const void *value, size_t size) {
    char full[4200];
    int error = entry_path(dirfd, path, full);
    if (error < 0) return error;
    RESULT(lsetxattr(full, name, value, size, 0));
}

int cl_lremovexattrat(int dirfd, const char *path, const char *name) {
    char full[4200];
    int error = entry_path(dirfd, path, full);
    if (error < 0) return error;
    RESULT(lremovexattr(full, name));
}

ssize_t cl_flistxattr(int fd, char *list, size_t size) { RESULT(flistxattr(fd, list, size)); }

ssize_t cl_fgetxattr(int fd, const char *name, void *value, size_t size) {
    RESULT(fgetxattr(fd, name, value, size));
}

int cl_fsetxattr(int fd, const char *name, const void *value, size_t size) {
    RESULT(fsetxattr(fd, name, value, size, 0));
}

ssize_t cl_getdents(int fd, void *buffer, size_t size) {
    RESULT(syscall(SYS_getdents64, fd, buffer, size));
}

int cl_pidfd_open(pid_t pid) { RESULT(syscall(SYS_pidfd_open, pid, 0)); }

int cl_pidfd_send_signal(int pidfd, int signal) {
    RESULT(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int cl_waitid_pidfd(int pidfd, int nohang, int *code, int *status) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | (nohang ? WNOHANG : 0));
    while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}

uint64_t cl_process_start_ticks(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    // The command name may hold spaces and parentheses: fields are counted after the last ')'.
    char *field = strrchr(text, ')');
    for (int i = 0; field != NULL && i < 20; i++) field = strchr(field + 1, ' ');
    return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

static int spawn(
    const char *path,
    char *const *argv,
    char *const *envp,
    const int *fds,
    int count,
    int new_group,
    pid_t *pid
) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    // dup2 in order would clobber a source that is also a later target: lift all sources first.
    enum { SPAWN_FDS_MAX = 1024 };
    int lifted[SPAWN_FDS_MAX];
    int lifted_count = 0;
    if (count > SPAWN_FDS_MAX) error = EINVAL;
    for (int i = 0; error == 0 && i < count; i++) {
        lifted[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, count);
        if (fds[i] >= 0 && lifted[i] < 0) {
            error = errno;
            break;
        }
        lifted_count = i + 1;
        if (lifted[i] >= 0) error = posix_spawn_file_actions_adddup2(&actions, lifted[i], i);
    }
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, count);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (new_group) flags |= POSIX_SPAWN_SETPGROUP;
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0) error = posix_spawnattr_setpgroup(&attributes, 0);
    if (error == 0) error = posix_spawnattr_setflags(&attributes, flags);
    if (error == 0) error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
    for (int i = 0; i < lifted_count; i++)
        if (lifted[i] >= 0) close(lifted[i]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

int cl_spawn(
    const char *path,
    char *const *argv,
    char *const *envp,
    const int *fds,
    int count,
    int new_group,
    pid_t *pid
) {
    return spawn(path, argv, envp, fds, count, new_group, pid);
}

int cl_spawn_fd(
    int executable,
    char *const *argv,
    char *const *envp,
    const int *fds,
    int count,
    int new_group,
    pid_t *pid
) {
    // The path is resolved by execve after the file actions ran, so it names our own process: the
    // child shares our memory but /proc/self is the child's, whose table no longer holds the number.
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), executable);
    return spawn(path, argv, envp, fds, count, new_group, pid);
}

struct thread_start {
    void (*body)(void *);
    void *context;
};

static void *run_thread(void *argument) {
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    start.body(start.context);
    return NULL;
}

int cl_thread_start(void (*body)(void *), void *context) {
    struct thread_start *start = malloc(sizeof *start);
    if (start == NULL) return -ENOMEM;
    *start = (struct thread_start){body, context};
    // Signals are for the threads that wait for them: a new thread starts with the creator's mask.
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, run_thread, start);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error != 0) free(start);
    return -error;
}

// Instructions of the device program, by their kernel macros' meaning.
#define LOAD(dst, src, offset_) \
    {.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = dst, .src_reg = src, .off = offset_}
#define ALU(op, dst, value) {.code = BPF_ALU | (op) | BPF_K, .dst_reg = dst, .imm = value}
#define MOVE(dst, src) {.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = dst, .src_reg = src}
#define JUMP(op, reg, value, distance) \
    {.code = BPF_JMP | (op) | BPF_K, .dst_reg = reg, .off = distance, .imm = value}
#define RETURN_VALUE(value)                                                     \
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value}, \
    {.code = BPF_JMP | BPF_EXIT}

int cl_attach_device_program(int cgroup) {
    // r2 = type, r3 = access, r4 = major, r5 = minor. Deny stands at 18, allow at 20.
    struct bpf_insn program[] = {
        LOAD(BPF_REG_2, BPF_REG_1, 0),
        MOVE(BPF_REG_3, BPF_REG_2),
        ALU(BPF_AND, BPF_REG_2, 0xffff),
        ALU(BPF_RSH, BPF_REG_3, 16),
        LOAD(BPF_REG_4, BPF_REG_1, 4),
        LOAD(BPF_REG_5, BPF_REG_1, 8),
        JUMP(BPF_JEQ, BPF_REG_3, BPF_DEVCG_ACC_MKNOD, 13), // any node may be made
        JUMP(BPF_JNE, BPF_REG_2, BPF_DEVCG_DEV_CHAR, 10),
        JUMP(BPF_JEQ, BPF_REG_4, 136, 11), // pseudo terminals
        JUMP(BPF_JNE, BPF_REG_4, 5, 2),
        JUMP(BPF_JEQ, BPF_REG_5, 0, 9), // tty
        JUMP(BPF_JEQ, BPF_REG_5, 2, 8), // ptmx
        JUMP(BPF_JNE, BPF_REG_4, 1, 5),
        JUMP(BPF_JEQ, BPF_REG_5, 3, 6), // null
        JUMP(BPF_JEQ, BPF_REG_5, 5, 5), // zero
        JUMP(BPF_JEQ, BPF_REG_5, 7, 4), // full
        JUMP(BPF_JEQ, BPF_REG_5, 8, 3), // random
        JUMP(BPF_JEQ, BPF_REG_5, 9, 2), // urandom
        RETURN_VALUE(0),
        RETURN_VALUE(1),
    };
    union bpf_attr load = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insn_cnt = sizeof program / sizeof program[0],
        .insns = (uint64_t)(uintptr_t)program,
        .license = (uint64_t)(uintptr_t)"Apache-2.0",
    };
    long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    if (fd < 0) return -errno;
    union bpf_attr attach = {
        .target_fd = (uint32_t)cgroup,
        .attach_bpf_fd = (uint32_t)fd,
        .attach_type = BPF_CGROUP_DEVICE,
        .attach_flags = BPF_F_ALLOW_MULTI,
    };
    int error = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0 ? errno : 0;
    close((int)fd);
    return -error;
}

int cl_poll_read(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n > 0;
}

int cl_set_nonblocking(int fd, int on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    RESULT(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

int cl_set_pipe_size(int fd, int size) { RESULT(fcntl(fd, F_SETPIPE_SZ, size)); }

int cl_ioctl_winsize(int fd, uint16_t *columns, uint16_t *rows) {
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) < 0) return -errno;
    *columns = w.ws_col;
    *rows = w.ws_row;
    return 0;
}

int cl_fs_type(int fd, uint64_t *magic) {
    struct statfs s;
    if (fstatfs(fd, &s) < 0) return -errno;
    *magic = (uint64_t)s.f_type;
    return 0;
}

int cl_fs_space(int fd, uint64_t *total, uint64_t *available) {
    struct statvfs s;
    if (fstatvfs(fd, &s) < 0) return -errno;
    *total = (uint64_t)s.f_blocks * s.f_frsize;
    *available = (uint64_t)s.f_bavail * s.f_frsize;
    return 0;
}
