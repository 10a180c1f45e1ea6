// SPDX-License-Identifier: Apache-2.0

DockerfileFrontend.run()
