// SPDX-License-Identifier: Apache-2.0

#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "report.h"

static int send_message(int socket, const struct control_message *message, int fd) {
    struct iovec part = {(void *)message, sizeof *message};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } extra = {0};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        packet.msg_control = &extra;
        packet.msg_controllen = sizeof extra;
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ssize_t n;
    do n = sendmsg(socket, &packet, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

void control_send_failure(int socket, int error, const char *stage, const char *object) {
    struct control_message message = {.kind = CONTROL_FAILURE, .error = error};
    snprintf(message.stage, sizeof message.stage, "%s", stage);
    snprintf(message.object, sizeof message.object, "%s", object);
    send_message(socket, &message, -1);
}

void control_send_stub(int socket, const struct stub *stub) {
    struct control_message message = {.kind = CONTROL_STUB, .stub = *stub};
    int error = send_message(socket, &message, stub->parent);
    if (error != 0) fail(error, "report", "the mount point %s", stub->name);
}

void control_send_go(int socket) {
    struct control_message message = {.kind = CONTROL_GO};
    send_message(socket, &message, -1);
}

bool control_receive(int socket, struct control_message *message) {
    struct iovec part = {message, sizeof *message};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } extra;
    struct msghdr packet = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &extra,
        .msg_controllen = sizeof extra,
    };
    ssize_t n;
    do n = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof *message) return false;
    message->stub.parent = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&message->stub.parent, CMSG_DATA(header), sizeof(int));
    return true;
}
