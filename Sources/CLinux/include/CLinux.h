// SPDX-License-Identifier: Apache-2.0
//
// The few system calls Swift cannot spell: everything glibc hides behind _GNU_SOURCE, everything
// variadic, and the calls glibc has no wrapper for. Each function returns a result >= 0, or a
// negative errno; none touches errno of the caller. A function can go when swift-system or the
// Glibc overlay offers it.

#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

/// Facts about a file that `statx` gives, flattened so that no C bit field crosses into Swift.
struct cl_stat {
    uint64_t ino;
    uint64_t size;
    uint64_t blocks; // of 512 bytes
    uint64_t dev;
    uint64_t mount_id;
    int64_t mtime_sec;
    int64_t ctime_sec;
    uint32_t mtime_nsec;
    uint32_t ctime_nsec;
    uint32_t mode; // type and permission bits
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;
    uint32_t rdev_major;
    uint32_t rdev_minor;
};

// openat2(2); `resolve` holds RESOLVE_* bits.
int cl_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int cl_open_flag_path(void);
int cl_open_flag_tmpfile(void);
uint64_t cl_resolve_beneath(void);
uint64_t cl_resolve_in_root(void);
uint64_t cl_resolve_no_symlinks(void);
uint64_t cl_resolve_no_magiclinks(void);

// statx(2) with AT_EMPTY_PATH when `path` is empty; never follows a final symlink unless asked.
int cl_statx(int dirfd, const char *path, int follow, struct cl_stat *out);

// renameat2(2); flags are RENAME_NOREPLACE (1), RENAME_EXCHANGE (2).
int cl_renameat2(int fromfd, const char *from, int tofd, const char *to, unsigned flags);
int cl_linkat_fd(int fd, int tofd, const char *to); // links an open O_TMPFILE or O_PATH file
int cl_mknodat(int dirfd, const char *path, uint32_t mode, uint32_t major, uint32_t minor);
int cl_utimensat(int dirfd, const char *path, int64_t sec, int64_t nsec); // no-follow, both times
int cl_fchmodat_nofollow(int dirfd, const char *path, uint32_t mode);
int cl_memfd_create(const char *name, int sealable);
int cl_memfd_seal(int fd);
int cl_read_only_mount(int fd); // the same file or directory by a mount of its own, detached and read-only
int cl_unix_listen(int dirfd, const char *name); // a stream socket that listens at a new name
int cl_unix_connect(const char *path); // paths may be longer than sockaddr_un has room for
int cl_unix_accept(int fd); // waits for one
int cl_relay(int left, int right, int stop); // carries bytes both ways until both have ended or `stop` hangs up
int cl_pipe2(int fds[_Nonnull 2], int flags);
int cl_syncfs(int fd);
int cl_flock(int fd, int exclusive, int nonblocking); // OFD lock on the whole file
int cl_unlock(int fd);
int cl_lock_byte(int fd, int64_t offset, int unlock); // exclusive OFD lock on one byte, never waits
int cl_byte_is_locked(int fd, int64_t offset); // by another open file
// copy_file_range(2), then a plain read/write loop where the kernel refuses; whole file from offset 0.
int64_t cl_copy_file(int infd, int outfd);
// Copies `size` bytes from offset 0 to offset 0, leaving holes as holes; bytes copied or a negative errno.
int64_t cl_copy_sparse(int infd, int outfd, int64_t size);
int cl_fallocate(int fd, int64_t length);
int cl_getrandom(void *buffer, size_t length);

// Extended attributes of a path below a directory, never following a final symlink.
ssize_t cl_llistxattrat(int dirfd, const char *path, char *_Nullable list, size_t size);
ssize_t cl_lgetxattrat(int dirfd, const char *path, const char *name, void *_Nullable value, size_t size);
int cl_lsetxattrat(int dirfd, const char *path, const char *name, const void *value, size_t size);
int cl_lremovexattrat(int dirfd, const char *path, const char *name);
// Extended attributes of an open file.
ssize_t cl_flistxattr(int fd, char *_Nullable list, size_t size);
ssize_t cl_fgetxattr(int fd, const char *name, void *_Nullable value, size_t size);
int cl_fsetxattr(int fd, const char *name, const void *value, size_t size);

// One directory entry at a time from a directory descriptor; the caller owns `buffer`.
ssize_t cl_getdents(int fd, void *buffer, size_t size);

// Processes.
int cl_pidfd_open(pid_t pid);
int cl_pidfd_send_signal(int pidfd, int signal);
int cl_waitid_pidfd(int pidfd, int nohang, int *code, int *status); // 0 nothing yet, 1 reaped
// Start time of a process in clock ticks since boot, for identity across pid reuse; 0 when gone.
uint64_t cl_process_start_ticks(pid_t pid);
// Starts `path` with exactly the descriptors of `fds` at numbers 0..count-1 (-1 leaves one closed),
// default signals, empty mask, own process group when asked; never copies the parent's memory.
int cl_spawn(
    const char *path,
    char *_Nullable const *_Nonnull argv,
    char *_Nullable const *_Nonnull envp,
    const int *fds,
    int count,
    int new_group,
    pid_t *pid
);
int cl_spawn_fd(
    int executable,
    char *_Nullable const *_Nonnull argv,
    char *_Nullable const *_Nonnull envp,
    const int *fds,
    int count,
    int new_group,
    pid_t *pid
);

// Starts a detached thread with all signals blocked: pthread_create takes a callback Swift cannot spell the same way on
// all C libraries.
int cl_thread_start(void (*body)(void *_Nullable context), void *_Nullable context);

// Loads a cgroup device program (the standard nodes of containers may be opened, any may be made) and attaches it to a
// cgroup2 directory; it holds for all groups beneath, for as long as the group exists.
int cl_attach_device_program(int cgroup);

// poll(2) on one descriptor for reading; 1 readable or hung up, 0 timed out.
int cl_poll_read(int fd, int timeout_ms);
int cl_set_nonblocking(int fd, int on);
int cl_set_pipe_size(int fd, int size);
int cl_ioctl_winsize(int fd, uint16_t *columns, uint16_t *rows);
int cl_fs_type(int fd, uint64_t *magic);
int cl_fs_space(int fd, uint64_t *total, uint64_t *available);

#pragma clang assume_nonnull end
#endif
