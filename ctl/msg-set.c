/* SPDX-License-Identifier: Apache-2.0 */
/* Sets (lib/openflow-ext.h): made, swapped, filled and listed.  What a message says becomes the
 * words that the verbs take, and the same checks (ofproto/sets.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/msg.h"
#include "ofproto/sets.h"

/* ---- Sets -------------------------------------------------------------------------------- */

struct set_mod {
	uint8_t command, type;
	uint16_t flags;
	uint32_t timeout_ms;
	uint64_t max;
	char name[SET_NAME], other[SET_NAME];
};

static int add_set(struct ofconn *c, const struct set_mod *sm, struct waiter *w, struct refusal *r)
{
	char type[32], timeout[32], max[32];
	const char *word[6] = {sm->name, type};
	unsigned n = 2;

	if (sm->type >= N_SET_TYPES)
		return refuse(r, EXT_VALUE, "type", "a set of type %u; 0 to %d would be accepted",
			      sm->type, N_SET_TYPES - 1);
	if (sm->flags & ~(SLUICE_SET_TIMEOUTS | SLUICE_SET_COUNTERS | SLUICE_SET_PROTECTED))
		return refuse(r, EXT_VALUE, "flags", "a set's flags 0x%x; known are 0x%x",
			      sm->flags,
			      SLUICE_SET_TIMEOUTS | SLUICE_SET_COUNTERS | SLUICE_SET_PROTECTED);
	snprintf(type, sizeof type, "type=%s", set_type_names[sm->type]);
	snprintf(timeout, sizeof timeout, "timeout=%" PRIu32 "ms", sm->timeout_ms);
	snprintf(max, sizeof max, "max=%" PRIu64, sm->max);
	if (sm->flags & SLUICE_SET_TIMEOUTS)
		word[n++] = timeout;
	if (sm->flags & SLUICE_SET_COUNTERS)
		word[n++] = "counters=yes";
	if (sm->flags & SLUICE_SET_PROTECTED)
		word[n++] = "protected=yes";
	if (sm->max)
		word[n++] = max;
	return ofproto_add_set(c->server->ofproto, (struct words){n, word}, NULL, w, r);
}

/* Whether `name` would have nobody in it, and had, while a rule asks it: a list that was not filled
 * is the same to rules as nobody. */
static bool empties(struct ofproto *o, const char *name, const char *other)
{
	struct set_state to, from;

	return ofproto_set_state(o, name, &to) && ofproto_set_state(o, other, &from) && to.n &&
	       !from.n && ofproto_set_is_asked(o, name);
}

static int swap_sets(struct ofproto *o, const struct set_mod *sm, struct waiter *w,
		     struct refusal *r)
{
	bool one = empties(o, sm->name, sm->other);

	if (!(sm->flags & SLUICE_SET_EMPTY) && (one || empties(o, sm->other, sm->name)))
		return refuse(r, NEEDS_FORCE, "flags",
			      "it would empty set %.40s, which a rule asks; flag %u says that it "
			      "is meant",
			      one ? sm->name : sm->other, SLUICE_SET_EMPTY);
	return ofproto_set_swap(o, sm->name, sm->other, w, r);
}

static int change_set(struct ofconn *c, const struct set_mod *sm, struct waiter *w,
		      struct refusal *r)
{
	switch (sm->command) {
	case SLUICE_SET_ADD:
		return add_set(c, sm, w, r);
	case SLUICE_SET_DELETE:
		return ofproto_del_set(c->server->ofproto, sm->name, w, r);
	case SLUICE_SET_SWAP:
		return swap_sets(c->server->ofproto, sm, w, r);
	default:
		return refuse(r, EXT_VALUE, "command", "command %u of sets; there are 0 to %d",
			      sm->command, SLUICE_SET_SWAP);
	}
}

int msg_set_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct set_mod sm;
	struct waiter *w;

	sm.command = pull_u8(&m->body);
	sm.type = pull_u8(&m->body);
	sm.flags = pull_u16(&m->body);
	sm.timeout_ms = pull_u32(&m->body);
	sm.max = pull_u64(&m->body);
	if (ext_get_name(&m->body, sm.name, sizeof sm.name, r) ||
	    ext_get_name(&m->body, sm.other, sizeof sm.other, r))
		return -EINVAL;
	w = of_waiter(c, m, NULL);
	return of_waits(w, change_set(c, &sm, w, r));
}

/* ---- Members ----------------------------------------------------------------------------- */

typedef char member_word[SET_MEMBER_TEXT + 24];

/* As the verbs take it.  A value that has bits where its type has none is none. */
static int get_member(struct reader *body, enum set_type type, bool timed, member_word word,
		      struct refusal *r)
{
	struct set_key key = {.len = pull_u8(body)}, said;
	uint32_t timeout_ms;

	pull(body, 3);
	timeout_ms = pull_u32(body);
	for (unsigned i = 0; i < set_type_words(type); i++)
		key.word[i] = pull_u64(body);
	set_key_text(type, &key, word);
	if (set_key_parse(type, word, strlen(word), &said) || said.len != key.len ||
	    memcmp(said.word, key.word, sizeof key.word) != 0)
		return refuse(r, EXT_VALUE, "member",
			      "a member near %s: no value of type %s, or bits behind its prefix",
			      word, set_type_names[type]);
	if (timed && timeout_ms != SLUICE_TIMEOUT_OWN)
		snprintf(word + strlen(word), 24, ",timeout=%" PRIu32 "ms", timeout_ms);
	return 0;
}

static int change_members(struct ofconn *c, const struct ofmsg *m, const char *name,
			  struct words words, struct refusal *r)
{
	bool add = m->octets[sizeof(struct ofp_experimenter_header)] == SLUICE_MEMBERS_ADD;
	struct ofproto *o = c->server->ofproto;
	struct waiter *w = of_waiter(c, m, NULL);

	return of_waits(w, add ? ofproto_set_add(o, name, words, w, r)
			       : ofproto_set_del(o, name, words, w, r));
}

static int check_members(uint8_t command, size_t n, struct refusal *r)
{
	if (command > SLUICE_MEMBERS_DELETE)
		return refuse(r, EXT_VALUE, "command", "command %u of members; there are 0 and 1",
			      command);
	if (!n || n > SLUICE_MEMBERS_MAX)
		return refuse(r, EXT_VALUE, "member",
			      "%zu members in a message; 1 to %d would be accepted", n,
			      SLUICE_MEMBERS_MAX);
	return 0;
}

int msg_members_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint8_t command = pull_u8(&m->body);
	const char *word[SLUICE_MEMBERS_MAX];
	char name[SET_NAME];
	struct set_state s;
	member_word *text;
	size_t size, n;
	int error;

	pull(&m->body, 7);
	if (ext_get_name(&m->body, name, sizeof name, r))
		return -EINVAL;
	if (!ofproto_set_state(c->server->ofproto, name, &s))
		return refuse(r, NOT_FOUND, "name", "there is no set %.40s", name);
	size = sizeof(struct sluice_member) + 8 * set_type_words(s.type);
	n = reader_left(&m->body) / size;
	if (reader_left(&m->body) % size)
		return refuse(r, BAD_LEN, "length",
			      "%zu octets of members; each of type %s has %zu",
			      reader_left(&m->body), set_type_names[s.type], size);
	error = check_members(command, n, r);
	if (error)
		return error;
	text = calloc(n, sizeof *text);
	if (!text)
		abort();
	for (size_t i = 0; i < n && !error; i++) {
		word[i] = text[i];
		error = get_member(&m->body, s.type, command == SLUICE_MEMBERS_ADD, text[i], r);
	}
	if (!error)
		error = change_members(c, m, name, (struct words){(unsigned)n, word}, r);
	free(text);
	return error;
}

/* ---- Lists ------------------------------------------------------------------------------- */

struct list {
	struct set_visit visit;
	struct ext_list *list;
	const struct set_state *set;
	uint64_t now_ms;
};

static void list_set(struct set_visit *v, const struct set_state *s)
{
	struct list *l = container_of(v, struct list, visit);
	struct buf *b = ext_entry_begin(l->list);

	buf_u8(b, (uint8_t)s->type);
	buf_u8(b, 0);
	buf_u32(b, (s->flags & SET_TIMEOUTS ? SLUICE_SET_TIMEOUTS : 0) |
			   (s->flags & SET_COUNTERS ? SLUICE_SET_COUNTERS : 0) |
			   (s->protects ? SLUICE_SET_PROTECTED : 0));
	buf_u64(b, s->timeout_ms);
	buf_u64(b, s->max);
	buf_u64(b, s->n);
	buf_u64(b, s->octets);
	buf_u64(b, s->n_full);
	buf_u64(b, s->n_kept_out);
	ext_put_name(b, s->name, SET_NAME);
	ext_entry_end(l->list);
}

int exp_multipart_sets(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct list l = {.visit.set = list_set, .list = ext_list_begin(m, SLUICE_MP_SETS)};

	ofproto_sets(c->server->ofproto, &l.visit);
	return ext_list_send(c, l.list, r);
}

static void list_member(struct set_visit *v, const struct set_member *m)
{
	struct list *l = container_of(v, struct list, visit);
	struct buf *b = ext_entry_begin(l->list);
	bool ends = l->set->flags & SET_TIMEOUTS && m->ends_ms != SET_FOREVER;

	buf_u8(b, m->key.len);
	buf_u8(b, 0);
	buf_u32(b, ends ? (uint32_t)(m->ends_ms > l->now_ms ? m->ends_ms - l->now_ms : 1) : 0);
	buf_u64(b, m->packets);
	buf_u64(b, m->bytes);
	for (unsigned i = 0; i < set_type_words(l->set->type); i++)
		buf_u64(b, m->key.word[i]);
	ext_entry_end(l->list);
}

int exp_multipart_members(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct ofproto *o = c->server->ofproto;
	struct list l = {.visit.member = list_member};
	char name[SET_NAME];
	struct set_state s;

	if (ext_get_name(&m->body, name, sizeof name, r))
		return -EINVAL;
	if (!ofproto_set_state(o, name, &s))
		return refuse(r, NOT_FOUND, "name", "there is no set %.40s", name);
	/* Not even begun: a walk over millions is for nothing then. */
	if (s.n * (sizeof(struct sluice_set_member) + 8 * set_type_words(s.type)) >
	    ext_list_room(c))
		return refuse(r, MULTIPART_OVERFLOW, "name",
			      "set %s has %" PRIu64 " members, too many for an answer", name, s.n);
	l.list = ext_list_begin(m, SLUICE_MP_MEMBERS);
	l.set = &s;
	l.now_ms = ofproto_now_ms(o);
	ofproto_set_members(o, name, &l.visit);
	return ext_list_send(c, l.list, r);
}
