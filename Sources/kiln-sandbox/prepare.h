// SPDX-License-Identifier: Apache-2.0
//
// What the launcher opens while it still stands in the engine's mount namespace: everything that comes from the host.

#ifndef PREPARE_H
#define PREPARE_H

#include "spec.h"

// Opens the root and every mount that comes from passed descriptors as detached mounts (`tree`).
void prepare_mounts(struct launch_spec *spec);

// MOUNT_ATTR_* bits of a mount.
uint64_t attributes_of(const struct launch_spec *spec, bool read_only, bool execute, bool privileges);

#endif
