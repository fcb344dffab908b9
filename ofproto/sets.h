/* SPDX-License-Identifier: Apache-2.0 */
/* Sets on the control side: made, filled, kept, emptied.
 *
 * A set's content changes like everything else: checked now, then durable, then in force, then
 * answered (change.h).  A change of single members is put into the table when its group is
 * published; another content is a table that is built at once and takes the old one's place then,
 * whole.  Members that packets add (EVENT_SET_ADD) are in force at once and do not last: after a
 * restart the next packet adds them again.
 *
 * In the store a set is an object of the words that made it, one blob of members, and a log of
 * changes behind it, which is folded into the blob when it is long.  Times are the wall's there.
 *
 * What has ended is no member for lookups at once; its memory comes back by a sweep of the control
 * thread, twice a second, over a part of the table.
 *
 * **Limits.**  SETS_MAX sets; of each `max` members, and SET_MEMBERS_MAX at the most; SETS_OCTETS
 * over all tables.  What is above is refused: to operators in words, to packets by `n_full`.
 * The control thread's. */
#ifndef SLUICE_OFPROTO_SETS_H
#define SLUICE_OFPROTO_SETS_H

#include "ofproto/ofproto.h"

#define SETS_OCTETS (1ull << 30)

/* `NAME type=TYPE [timeout=TIME] [counters=yes] [max=N] [protected=yes]`; content: as for a load;
 * NULL: none. */
int ofproto_add_set(struct ofproto *o, struct words words, const char *content, struct waiter *w,
		    struct refusal *r);
/* There is a set of these words already, members aside. */
bool ofproto_set_is(struct ofproto *o, struct words words);
/* Refused while a rule names it. */
int ofproto_del_set(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r);
/* A rule names it. */
bool ofproto_set_is_asked(struct ofproto *o, const char *name);
/* Words are `MEMBER[,timeout=TIME]`; taking out what is not there is no error. */
int ofproto_set_add(struct ofproto *o, const char *name, struct words members, struct waiter *w,
		    struct refusal *r);
int ofproto_set_del(struct ofproto *o, const char *name, struct words members, struct waiter *w,
		    struct refusal *r);
/* All of a file's content in place of what is there: a member a line, `#` begins a comment.  An
 * empty content empties it. */
int ofproto_set_load(struct ofproto *o, const char *name, const char *content, struct waiter *w,
		     struct refusal *r);
/* Each gets the other's members, which keep their time; counters begin anew.  Sets of one kind,
 * with nothing on its way into them. */
int ofproto_set_swap(struct ofproto *o, const char *name, const char *other, struct waiter *w,
		     struct refusal *r);

struct set_state {
	const char *name, *spec; /* spec: the words behind the name */
	enum set_type type;
	unsigned flags;
	uint64_t n, max, octets, timeout_ms;
	uint64_t n_full;     /* members that packets would have added, and that found no room */
	uint64_t n_kept_out; /* … and that are protected */
	bool protects;
};
/* False: there is no such set. */
bool ofproto_set_state(struct ofproto *o, const char *name, struct set_state *state);
/* By name. */
struct set_visit {
	void (*set)(struct set_visit *v, const struct set_state *state);
	void (*member)(struct set_visit *v, const struct set_member *m);
};
void ofproto_sets(struct ofproto *o, struct set_visit *v);
/* Members that have not ended, in no order. */
void ofproto_set_members(struct ofproto *o, const char *name, struct set_visit *v);
/* The member, or prefix, that text is in, as lookups see it; -ENOENT: in none. */
int ofproto_set_test(struct ofproto *o, const char *name, const char *member, bool *in,
		     struct refusal *r);
/* Exactly this member is there, and has not ended; a timeout behind it is passed over. */
bool ofproto_set_member(struct ofproto *o, const char *name, const char *member,
			struct set_member *m);
uint64_t ofproto_sets_lost(const struct ofproto *o); /* asked by packets, and not heard */
uint64_t ofproto_now_ms(const struct ofproto *o);

/* ---- For the files behind ofproto.h -------------------------------------------------------- */

/* protect.c: of a set's members, as long as no set changes. */
struct set_facts {
	uint64_t gen;
	bool meets, wide; /* one is protected; one takes nearly everything */
};

struct set_entry {
	struct set *set;
	char *text;        /* the words, with newlines between, as objects have them */
	uint64_t n_staged; /* members when all that is on its way has come */
	uint64_t n_logged; /* rows of the store's log */
	uint64_t n_full;
	uint64_t swept_ms;  /* whole, for room */
	unsigned n_pending; /* steps of its content on their way */
	struct set_facts facts;
	struct set_table *pending; /* protect.h: with what is on its way; NULL: nothing is */
	uint64_t n_kept_out;       /* protected members that packets would have added */
	uint32_t sweep_at;
	bool leaving;
};

struct sets {
	struct set_entry *entry[SETS_MAX];
	uint64_t next;              /* of ids: how often a place was given */
	uint64_t octets_most;       /* SETS_OCTETS */
	uint64_t octets, octets_ns; /* of all tables, and when that was looked at */
	uint64_t sweep_ns;
	uint64_t gen;        /* of contents and of what is protected; never 0 */
	struct spans *spans; /* protect.c: all that is protected, in order */
};

void sets_init(struct ofproto *o);
void sets_destroy(struct ofproto *o);
int sets_restore(struct ofproto *o, struct refusal *r);
/* Every set that a rule names is there. */
int sets_check(struct ofproto *o, const struct match *m, const struct instructions *i,
	       struct refusal *r);
struct set_entry *set_entry_find(struct ofproto *o, const char *name);
/* The same, or a refusal. */
struct set_entry *set_entry_get(struct ofproto *o, const char *name, struct refusal *r);
struct set_entry *set_entry_by_id(const struct ofproto *o, uint64_t id);

/* set-members.c */
void sets_run(struct ofproto *o);
uint64_t sets_deadline(const struct ofproto *o);
/* Somebody has to look for what ends in it. */
void sets_arm(struct ofproto *o, const struct set_entry *e);
void sets_fed(struct ofproto *o, const struct event_set_add *event);
/* There is room for what all sets hold, and for `more` (NULL: no more). */
int sets_check_octets(const struct ofproto *o, const struct set_table *more, struct refusal *r);
/* `t` is to take the place of the set's table, and is its from now on. */
void set_stage_content(struct ofproto *o, struct set_entry *e, struct set_table *t);
/* Just this is a member, and has not ended. */
bool set_has(const struct ofproto *o, const struct set *set, const struct set_key *key);

/* set-store.c: what lasts of a change; NULL members: the whole content as it is in `t`. */
enum set_log { SET_LOG_PUT, SET_LOG_DEL };
void set_remember(struct ofproto *o, struct set_entry *e, enum set_log what, unsigned n,
		  const struct set_member *members);
void set_remember_all(struct ofproto *o, struct set_entry *e, const struct set_table *t);
void set_forget(struct ofproto *o, struct set_entry *e);
int set_contents_restore(struct ofproto *o, struct set_entry *e, struct refusal *r);

/* set-text.c: `MEMBER[,timeout=TIME]`, and files of them. */
int set_member_parse(const struct set *s, const char *text, size_t size, uint64_t now_ms,
		     struct set_member *m);
/* A table of a content; NULL and a refusal. */
struct set_table *set_content_read(const struct set *s, const char *content, uint64_t now_ms,
				   struct refusal *r);

#endif
