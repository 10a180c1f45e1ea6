// SPDX-License-Identifier: Apache-2.0

internal import CLinux

extension Descriptor {
    /// Limits the devices that processes of this version 2 control group, and of groups beneath it, may open: the nodes
    /// every container has.
    ///
    /// Making nodes stays allowed. It holds for as long as the group exists.
    package func attachDeviceProgram() throws(SystemCallError) {
        try check(cl_attach_device_program(number), "attach", "a device program")
    }
}
