#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The XDP program's decision on packets of every kind (steer.c); a script for the suite's sake.
exec "${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/system/steer"
