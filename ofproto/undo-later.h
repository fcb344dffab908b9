/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that are taken back by themselves, unless somebody confirms them in time.
 *
 * What was installed to be confirmed expires anyhow (--expire's way); here is what it replaced: the
 * diff of the change, as the journal has it, kept in the store in the change's own group.  When its
 * time comes, in one version of the tables: what came and still stands goes, and what it took the
 * place of is back as it was; counters begin anew.  What others did to a place since stays as it
 * is.  A restart goes on with it.  Control thread. */
#ifndef SLUICE_OFPROTO_UNDO_LATER_H
#define SLUICE_OFPROTO_UNDO_LATER_H

#include "ofproto/journal.h"

enum { UNDO_LATER_OCTETS = 16 << 20 }; /* of all diffs */

struct undo_later;

struct undo_laters {
	struct undo_later *first;
	size_t octets;
};

/* The actor's change so far is taken back at ends_ns; joins its group.  *id 0: it took no rule
 * away, so there is nothing to wait for. */
int ofproto_undo_later(struct ofproto *o, uint64_t ends_ns, int64_t *id, struct refusal *r);
/* It stays; joins the open group.  Nothing when it is over. */
void ofproto_undo_never(struct ofproto *o, int64_t id);

int undo_laters_restore(struct ofproto *o, struct refusal *r);
void undo_laters_run(struct ofproto *o); /* before timeouts_run(): what expires is replaced */
uint64_t undo_laters_deadline(const struct ofproto *o);
void undo_laters_destroy(struct ofproto *o);

#endif
