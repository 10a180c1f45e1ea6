// SPDX-License-Identifier: Apache-2.0
//
// The mounts inside the sandbox: what is opened while the host can still be seen, and how all of it is attached once it
// cannot.

#ifndef FILESYSTEMS_H
#define FILESYSTEMS_H

#include "spec.h"
#include "targets.h"

// Opens, detached, the sandbox's own file systems and what they need of the host. For the process inside.
void open_filesystems(struct launch_spec *spec);

// Makes the prepared root "/" and lets go of the host for good.
void enter_root(const struct launch_spec *spec);

// Attaches everything else and hides what must be hidden.
void attach_filesystems(struct launch_spec *spec, const struct stub_policy *policy);

// Makes the root read-only where asked, once nothing has to be made in it any more.
void seal_root(const struct launch_spec *spec);

#endif
