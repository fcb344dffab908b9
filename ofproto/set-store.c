/* SPDX-License-Identifier: Apache-2.0 */
/* What lasts of a set: a blob of all members, and a log of changes behind it.
 *
 * A blob, and a row of the log, is: a version, what (a row: put or del; a blob: put), the type, the
 * flags, when it was written (wall clock, ms), then members: the key (IPv4 in four octets,
 * others in words of eight), with prefixes the length, with timeouts the end (wall clock, ms; zero:
 * never). */
#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/sets.h"
#include "ofproto/state.h"

enum { VERSION = 1, FOLD_LEAST = 4096 };

static uint64_t wall_ms(const struct ofproto *o)
{
	return (uint64_t)wall_now(o) / NSEC_PER_MSEC;
}

/* ---- Writing ------------------------------------------------------------------------------ */

static void put_header(const struct ofproto *o, const struct set *s, enum set_log what,
		       struct buf *blob)
{
	buf_u8(blob, VERSION);
	buf_u8(blob, (uint8_t)what);
	buf_u8(blob, s->type);
	buf_u8(blob, s->flags);
	buf_u64(blob, wall_ms(o));
}

/* The octets of a member; at most 41. */
static size_t put_member(const struct ofproto *o, const struct set *s, const struct set_member *m,
			 uint8_t *to)
{
	unsigned words = set_type_words(s->type);
	size_t n = 0;

	if (s->type == SET_IPV4) {
		put_be32(to, (uint32_t)(m->key.word[0] >> 32));
		n = 4;
	} else {
		for (unsigned i = 0; i < words; i++, n += 8)
			put_be64(to + n, m->key.word[i]);
	}
	if (set_type_has_prefixes(s->type))
		to[n++] = m->key.len;
	if (s->flags & SET_TIMEOUTS) {
		uint64_t left = m->ends_ms - ofproto_now_ms(o);

		put_be64(to + n, m->ends_ms == SET_FOREVER ? 0 : wall_ms(o) + left);
		n += 8;
	}
	return n;
}

static void add_member(const struct ofproto *o, const struct set *s, const struct set_member *m,
		       struct buf *blob)
{
	uint8_t octets[48];

	buf_octets(blob, octets, put_member(o, s, m, octets));
}

void set_remember_all(struct ofproto *o, struct set_entry *e, const struct set_table *t)
{
	uint64_t now_ms = ofproto_now_ms(o);
	struct set_cursor c = {0};
	struct set_member m;
	struct buf blob = {0};

	if (!o->store || o->restoring)
		return;
	put_header(o, e->set, SET_LOG_PUT, &blob);
	while (set_table_next(t, &c, &m))
		if (m.ends_ms > now_ms)
			add_member(o, e->set, &m, &blob);
	change_store(o, store_op_set(e->set->name, &blob));
	change_store(o, store_op_set_trim(e->set->name));
	e->n_logged = 0;
}

void set_remember(struct ofproto *o, struct set_entry *e, enum set_log what, unsigned n,
		  const struct set_member *members)
{
	uint64_t long_log = MAX(FOLD_LEAST, set_table_n(e->set->table) / 8);
	struct buf blob = {0};

	if (!o->store || o->restoring)
		return;
	/* Folded when nothing is on its way: then the table is what the log leads to. */
	if (e->n_logged >= long_log && !e->n_pending)
		set_remember_all(o, e, e->set->table);
	put_header(o, e->set, what, &blob);
	for (unsigned i = 0; i < n; i++)
		add_member(o, e->set, &members[i], &blob);
	change_store(o, store_op_set_log(e->set->name, &blob));
	e->n_logged++;
}

void set_forget(struct ofproto *o, struct set_entry *e)
{
	if (!o->store || o->restoring)
		return;
	change_store(o, store_op_object("set", e->set->name, NULL));
	change_store(o, store_op_set(e->set->name, NULL));
	change_store(o, store_op_set_trim(e->set->name));
}

/* ---- Reading ------------------------------------------------------------------------------ */

/* What is left of a time is never more than it was when it was written: the wall's clock may have
 * been set back. */
static uint64_t ends_from(const struct ofproto *o, uint64_t wall_ends, uint64_t written)
{
	uint64_t wall = MAX(wall_ms(o), written);

	if (!wall_ends)
		return SET_FOREVER;
	return ofproto_now_ms(o) +
	       (wall_ends > wall ? MIN(wall_ends - wall, SET_TIMEOUT_MAX_MS) : 0);
}

static bool get_member(const struct ofproto *o, const struct set *s, struct reader *from,
		       uint64_t written, struct set_member *m)
{
	*m = (struct set_member){.ends_ms = SET_FOREVER};
	if (s->type == SET_IPV4)
		m->key.word[0] = (uint64_t)pull_u32(from) << 32;
	else
		for (unsigned i = 0; i < set_type_words(s->type); i++)
			m->key.word[i] = pull_u64(from);
	if (set_type_has_prefixes(s->type))
		m->key.len = pull_u8(from);
	if (s->flags & SET_TIMEOUTS)
		m->ends_ms = ends_from(o, pull_u64(from), written);
	if (m->key.len > (s->type == SET_IPV4 ? 32 : 128))
		return false;
	set_key_cut(s->type, &m->key);
	return !from->failed;
}

struct restore {
	struct store_visit visit;
	struct ofproto *o;
	struct set_entry *e;
	bool log;
};

static void apply(struct ofproto *o, struct set_entry *e, enum set_log what,
		  const struct set_member *m)
{
	uint64_t now_ms = ofproto_now_ms(o);

	if (what == SET_LOG_DEL || m->ends_ms <= now_ms)
		set_table_del(e->set->table, &m->key);
	else
		set_put(e->set, m, now_ms);
}

static int restore_one(struct store_visit *v, const void *data, size_t size, struct refusal *r)
{
	struct restore *restore = container_of(v, struct restore, visit);
	struct set_entry *e = restore->e;
	struct reader from = reader_of(data, size);
	uint8_t version = pull_u8(&from), what = pull_u8(&from);
	uint8_t type = pull_u8(&from), flags = pull_u8(&from);
	uint64_t written = pull_u64(&from);
	struct set_table *t;
	struct set_member m;

	(void)r;
	if (from.failed || version != VERSION || what > SET_LOG_DEL || type != e->set->type ||
	    flags != e->set->flags) {
		LOG(ERR, "set %s: what is in the store cannot be read; the set is not whole",
		    e->set->name);
		return 0;
	}
	if (!restore->log && reader_left(&from)) { /* room for all, at once */
		size_t one = set_type_words(type) * 8 - (type == SET_IPV4 ? 4 : 0) +
			     set_type_has_prefixes(type) + (flags & SET_TIMEOUTS ? 8 : 0);

		t = set_table_create(type, flags, reader_left(&from) / one);
		if (t)
			set_replace(e->set, t);
	}
	e->n_logged += restore->log;
	while (reader_left(&from) && get_member(restore->o, e->set, &from, written, &m))
		apply(restore->o, e, what, &m);
	return 0;
}

int set_contents_restore(struct ofproto *o, struct set_entry *e, struct refusal *r)
{
	struct restore restore = {{.set = restore_one}, o, e, false};
	int error = store_load_set(o->store, e->set->name, &restore.visit, r);

	restore.log = true;
	if (!error)
		error = store_load_set_log(o->store, e->set->name, &restore.visit, r);
	e->n_staged = set_table_n(e->set->table);
	set_tidy(e->set, ofproto_now_ms(o));
	return error;
}
