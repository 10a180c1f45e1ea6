# SPDX-License-Identifier: Apache-2.0
"""What the scripts share that build Tests/Fixtures/dockerfiles with Kiln and with BuildKit."""
