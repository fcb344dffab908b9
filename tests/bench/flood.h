/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the flood agree on. */
#ifndef SLUICE_TESTS_FLOOD_H
#define SLUICE_TESTS_FLOOD_H

enum flood_kind { FLOOD_FLOWS, FLOOD_SPOOF, FLOOD_EXPLODE };

enum { FLOOD_PORTS = 1000 }; /* destination ports, from 1 on */

#endif
