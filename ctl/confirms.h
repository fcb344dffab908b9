/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that wait to be confirmed: they are installed to expire soon, and stay as they were meant
 * when somebody says so in time; what they replaced comes back otherwise (ofproto/undo-later.h).
 * Whoever asks has a list of his own: the operator, each controller's connection.  Control
 * thread. */
#ifndef SLUICE_CTL_CONFIRMS_H
#define SLUICE_CTL_CONFIRMS_H

#include "ofproto/ofproto.h"

struct confirm;

/* Remembers what `mod` means, and makes it expire after `ns`. */
void confirm_add(struct confirm **list, struct ofproto *o, struct flow_mod *mod, uint64_t ns);
void confirm_forget(struct confirm **list); /* the last one added: it was refused */
/* Installs the one added last, or forgets it: it was refused. */
int confirm_install(struct confirm **list, struct ofproto *o, const struct flow_mod *mod,
		    struct waiter *w, struct refusal *r);
/* Several are installed by a change of their own: what it takes away waits, too, until ends_ns.
 * Between its begin and its commit. */
int confirm_change(struct confirm **list, struct ofproto *o, uint64_t ends_ns, struct refusal *r);
unsigned confirms_n(const struct confirm *list); /* rules */
/* Installs, all or none, those that are still in force as they came; the list is empty then.  When
 * one is refused, all wait on: without it they can be confirmed. */
int confirms_run(struct confirm **list, struct ofproto *o, struct waiter *w, struct refusal *r);
void confirms_free(struct confirm **list);

#endif
