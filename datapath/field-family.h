/* SPDX-License-Identifier: Apache-2.0 */
/* What packets are told apart by, as people name it: `src` and `dst` are addresses of either IP,
 * `sport` and `dport` ports of TCP, UDP or SCTP; any other name is one field's.  Of the fields that
 * a name means, its forms, a packet has one at most.
 *
 * Constant: any thread. */
#ifndef SLUICE_FIELD_FAMILY_H
#define SLUICE_FIELD_FAMILY_H

#include "datapath/match.h"

enum { FIELD_FORMS = 3 };

/* How many forms; 0: there is no such field. */
unsigned field_forms(const char *name, const struct field *form[FIELD_FORMS]);
/* The name that may have been meant; NULL: none is near. */
const char *field_near(const char *name);

#endif
