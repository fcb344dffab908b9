/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of rules, from a file or as they are in force, and what lies between two of them.
 *
 * A rule is known by its *key* (table, priority and match, as text); two rules with one key are the
 * same when their whole text is.  Sets are sorted by key.  Changes that belong together go
 * through flow_changes_apply(): all of them, or none. */
#ifndef SLUICE_CTL_FLOW_SET_H
#define SLUICE_CTL_FLOW_SET_H

#include "ofproto/ofproto.h"

struct flow_entry {
	struct flow_mod mod; /* adds it; owns its instructions */
	char *key, *text;
	unsigned order; /* among those of one key */
};

struct flow_set {
	size_t n, room;
	struct flow_entry *entry;
};

/* Rules of a file, one a line, `#` comments; of several with one key the last one stands.  A
 * refusal's text begins with the line. */
int flow_set_read(struct flow_set *s, const char *content, struct refusal *r);
/* The OpenFlow tables' rules in force. */
void flow_set_current(struct flow_set *s, struct ofproto *o);
void flow_set_free(struct flow_set *s);
/* The text of a flow_mod as if it were installed, with ports' names; `key`: only what makes it the
 * same rule.  free() it. */
char *flow_mod_text(const struct flow_mod *mod, bool key);

/* `was` NULL: comes; `comes` NULL: goes; both: replaced.  Borrowed from two sets. */
struct flow_change {
	const struct flow_entry *was, *comes;
};

/* From `now` to `then`; `keep`: what is in `now` alone stays.  Returns how many; free() *changes.
 */
size_t flow_set_diff(const struct flow_set *now, const struct flow_set *then, bool keep,
		     struct flow_change **changes);

/* Between begin and commit; the first that is refused ends it. */
int flow_changes_make(struct ofproto *o, const struct flow_change *changes, size_t n,
		      struct refusal *r);
/* All in one group; `w` waits for the last.  When one is refused, those before are taken back and
 * nobody is called.  n is not 0. */
int flow_changes_apply(struct ofproto *o, const struct flow_change *changes, size_t n,
		       struct waiter *w, struct refusal *r);

#endif
