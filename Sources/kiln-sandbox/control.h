// SPDX-License-Identifier: Apache-2.0
//
// What the process inside tells the launcher before its command runs: one message a packet.

#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define CONTROL_STAGE_BYTES 32
#define CONTROL_OBJECT_BYTES 512
#define CONTROL_NAME_BYTES 256

// A mount point that was made because it was missing.
struct stub {
    int parent; // the directory it stands in
    bool is_directory;
    dev_t device;
    ino_t inode;
    struct timespec parent_times_before[2]; // access, modification: before it was made
    struct timespec parent_modified_after;  // after it was made
    char name[CONTROL_NAME_BYTES];
};

enum control_kind { CONTROL_GO, CONTROL_FAILURE, CONTROL_STUB };

struct control_message {
    enum control_kind kind;
    int error;
    char stage[CONTROL_STAGE_BYTES];
    char object[CONTROL_OBJECT_BYTES];
    struct stub stub; // its `parent` travels beside the message
};

void control_send_failure(int socket, int error, const char *stage, const char *object);
void control_send_stub(int socket, const struct stub *stub);
void control_send_go(int socket);
// Receives one message. Returns false at the end, when the other side is gone or has run its command.
bool control_receive(int socket, struct control_message *message);

#endif
