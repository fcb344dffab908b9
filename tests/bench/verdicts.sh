#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What sluice-bench measures is right: in every scenario, what became of each packet is what the linear twin of
# the rule table says.  All rule sets but the largest; no time is looked at.
exec utilities/sluice-bench --check --scenario '*/none/*' --scenario '*/1/*/*' --scenario '*/3/*' \
    --scenario '*/1000x8/*' --scenario '*/1000five/*' --scenario '*/10000x64/*' --scenario '*/outer*' --scenario '*/set/*'
