/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the guard as sluiced shows them, rows of dump-flows, and as del-guard names them.
 *
 * Also the names of the switch's ports, which both need: sluiced writes `in_port=NAME`.  What comes
 * in is a stranger's: a row that cannot be understood is passed over.  Single thread. */
#ifndef SLUICE_WATCH_GUARD_TEXT_H
#define SLUICE_WATCH_GUARD_TEXT_H

#include "utilities/watch/decide.h"

/* `priority=N,MATCH`: what del-guard takes. */
void guard_match_text(const struct guard_rule *rule, struct buf *text);

/* One row.  False: not of origin `watch`, or nothing that a watcher could have made. */
bool guard_row_parse(const json_t *row, struct guard_rule *rule, struct guard_counters *n);

/* The ports of the answer to `show`; the last ones are forgotten.  At most NAMES_MAX. */
enum { NAMES_MAX = 4096, NAME_OCTETS = 64 };
void names_learn(const json_t *show);
extern const struct port_names learned_names; /* for `port_names` (datapath/match.h) */

#endif
