// SPDX-License-Identifier: Apache-2.0
//
// The sandbox's /dev.

#ifndef DEVICES_H
#define DEVICES_H

#include "spec.h"
#include "targets.h"

// Opens /dev and /dev/pts, detached, and clones the host's nodes where none may be made. While the host can be seen.
void open_devices(const struct launch_spec *spec);
void attach_devices(int root, const struct stub_policy *policy);

// The few nodes a frontend gets: null, zero, full, random, urandom, and links to its own streams.
void open_frontend_devices(void);
void attach_frontend_devices(int root, const struct stub_policy *policy);

#endif
