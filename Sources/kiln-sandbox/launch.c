// SPDX-License-Identifier: Apache-2.0

#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "filesystems.h"
#include "groups.h"
#include "identity.h"
#include "prepare.h"
#include "process.h"
#include "report.h"
#include "spec.h"

// The process inside, as the launcher sees it.
struct child {
    pid_t pid;
    int pidfd;
    int socket;
    bool has_user_namespace;
};

// The one that undo() ends.
static struct child child = {.pid = -1, .pidfd = -1, .socket = -1};

// MARK: The process inside

// The C library keeps two signals to itself and leaves them ignored in processes it spawns: ask the kernel.
static void reset_signals(void) {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action = {.handler = SIG_DFL};
    for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(uint64_t));
    uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

_Noreturn static void run_inside(struct launch_spec *spec, int socket, bool has_user_namespace) {
    report_to_launcher(socket);
    struct control_message message;
    if (!control_receive(socket, &message) || message.kind != CONTROL_GO) _exit(SETUP_FAILED);
    groups_enter();
    if (has_user_namespace) become_namespace_root();
    // The root of a frontend is memory of its own and all else there is read-only: nothing stays to be removed.
    struct stub_policy policy = {spec->profile == PROFILE_FRONTEND ? -1 : socket, spec->remove_stub_parents};
    umask(022);
    open_filesystems(spec);
    enter_root(spec);
    attach_filesystems(spec, &policy);
    enter_working_directory(spec);
    seal_root(spec);
    if (spec->network == NETWORK_NONE && spec->profile != PROFILE_FRONTEND) bring_loopback_up();
    if (sethostname(spec->hostname, strlen(spec->hostname)) < 0) fail(errno, "set", "the host name");
    if (setsid() < 0) fail(errno, "start", "a session");
    set_limits(spec);
    reset_signals();
    become_user(spec, socket);
    run_command(spec);
}

// MARK: Birth

static uint64_t namespaces_of(const struct launch_spec *spec) {
    uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (spec->network == NETWORK_NONE) flags |= CLONE_NEWNET;
    if (spec->cgroup_namespace || spec->profile == PROFILE_FRONTEND) flags |= CLONE_NEWCGROUP;
    return flags;
}

// Forks. Returns the number of the new process, 0 in it, or a negative errno.
static pid_t fork_into(uint64_t namespaces, int group, int *pidfd) {
    struct clone_args arguments = {
        .flags = namespaces | CLONE_PIDFD | (group >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = group >= 0 ? (uint64_t)group : 0,
    };
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid < 0 ? -errno : (pid_t)pid;
}

static void give_birth(struct launch_spec *spec) {
    int group = groups_make(spec);
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) fail(errno, "make", "a socket pair");
    uint64_t namespaces = namespaces_of(spec);
    bool has_user_namespace = spec->profile == PROFILE_FRONTEND;
    pid_t pid = fork_into(namespaces | (has_user_namespace ? CLONE_NEWUSER : 0), group, &child.pidfd);
    if (pid < 0 && has_user_namespace && (pid == -EPERM || pid == -ENOSPC || pid == -EINVAL)) {
        // The host forbids user namespaces: an unused user of the machine must do.
        has_user_namespace = false;
        pid = fork_into(namespaces, group, &child.pidfd);
    }
    bool was_born_in = group >= 0;
    if (pid < 0 && group >= 0) {
        was_born_in = false;
        pid = fork_into(namespaces | (has_user_namespace ? CLONE_NEWUSER : 0), -1, &child.pidfd);
    }
    if (pid < 0) fail(-pid, "make", "the namespaces of the sandbox");
    if (pid == 0) {
        close(sockets[0]);
        if (spec->profile == PROFILE_FRONTEND) spec->user = frontend_user(has_user_namespace);
        run_inside(spec, sockets[1], has_user_namespace);
    }
    close(sockets[1]);
    child.pid = pid;
    child.socket = sockets[0];
    if (has_user_namespace) map_frontend_user(pid);
    if (!was_born_in) groups_join(pid);
    control_send_go(child.socket);
}

// The ends of the command's streams must be the command's alone.
static void let_go_of_streams(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        if (null < 0 || dup2(null, fd) < 0) close(fd);
    if (null > 2) close(null);
}

// MARK: Life

static struct stub *stubs;
static size_t stub_count;

static void remember_stub(const struct stub *stub) {
    struct stub *more = realloc(stubs, (stub_count + 1) * sizeof *stubs);
    if (more == NULL) fail(ENOMEM, "remember", "the mount point %s", stub->name);
    stubs = more;
    stubs[stub_count++] = *stub;
}

// Takes one message of the process inside. Returns false when it will say no more.
static bool listen_to_child(struct control_message *failure) {
    struct control_message message;
    if (!control_receive(child.socket, &message)) {
        if (failure->kind != CONTROL_FAILURE) report_running(child.pid);
        close(child.socket);
        child.socket = -1;
        return false;
    }
    if (message.kind == CONTROL_STUB) remember_stub(&message.stub);
    if (message.kind == CONTROL_FAILURE) *failure = message;
    return true;
}

static void kill_child(void) {
    if (child.pidfd >= 0) syscall(SYS_pidfd_send_signal, child.pidfd, SIGKILL, NULL, 0);
    groups_kill();
}

// Watches until the process inside has ended; kills it when the engine lets go of the liveness pipe.
static void watch_child(struct control_message *failure) {
    bool is_engine_there = true;
    for (;;) {
        struct pollfd entries[] = {
            {.fd = child.pidfd, .events = POLLIN},
            {.fd = child.socket, .events = POLLIN},
            {.fd = is_engine_there ? LIVENESS_FD : -1, .events = POLLIN},
        };
        if (poll(entries, 3, -1) < 0 && errno != EINTR) fail(errno, "watch", "the sandbox");
        if (entries[2].revents != 0) {
            is_engine_there = false;
            kill_child();
        }
        if (child.socket >= 0 && entries[1].revents != 0) listen_to_child(failure);
        if (entries[0].revents != 0) break;
    }
    // What it said before it ended is still to be heard.
    while (child.socket >= 0 && listen_to_child(failure)) continue;
}

// MARK: The end

static long long micros(const struct timeval *time) { return time->tv_sec * 1000000LL + time->tv_usec; }

static struct exit_report reap_child(void) {
    siginfo_t info = {0};
    struct rusage usage = {0};
    long result;
    do result = syscall(SYS_waitid, P_PIDFD, child.pidfd, &info, WEXITED, &usage);
    while (result < 0 && errno == EINTR);
    if (result < 0) fail(errno, "wait for", "the sandbox");
    child.pid = -1;
    bool has_exited = info.si_code == CLD_EXITED;
    return (struct exit_report){
        .code = has_exited ? info.si_status : 0,
        .signal = has_exited ? 0 : info.si_status,
        .out_of_memory = groups_were_out_of_memory(),
        .user_micros = micros(&usage.ru_utime),
        .system_micros = micros(&usage.ru_stime),
        .resident_kib = usage.ru_maxrss,
    };
}

static void clean_up(void) {
    for (size_t i = stub_count; i-- > 0;) stub_remove(&stubs[i]);
    stub_count = 0;
    groups_remove();
}

// The launcher itself failed: nothing may be left behind.
static void undo(void) {
    if (child.pid > 0) {
        kill_child();
        waitpid(child.pid, NULL, 0);
    }
    clean_up();
}

void launch(void) {
    // All that was passed is for us; what the command gets it gets by number, 0 to 2.
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) fail(errno, "close", "the descriptors");
    report_to_status(STATUS_FD);
    report_on_failure(undo);
    signal(SIGPIPE, SIG_IGN);
    struct launch_spec spec;
    spec_read(SPEC_FD, &spec);
    close(SPEC_FD);
    prepare_mounts(&spec);
    give_birth(&spec);
    let_go_of_streams();
    struct control_message failure = {.kind = CONTROL_GO};
    watch_child(&failure);
    struct exit_report exit = reap_child();
    clean_up();
    if (failure.kind == CONTROL_FAILURE) {
        report_failure(failure.error, failure.stage, failure.object);
        _exit(SETUP_FAILED);
    }
    report_exit(&exit);
    _exit(0);
}
