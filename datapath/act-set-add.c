/* SPDX-License-Identifier: Apache-2.0 */
/* set_add: what the packet has in a field becomes a member of a set, for a while.
 *
 *	set_add(bad,ipv4_src)   set_add(bad,ipv4_src/24,timeout=60)   set_add(seen,ipv4_src+tcp_dst)
 *
 * A member that is there is prolonged by the worker, in place.  A new one is asked of the control
 * thread, by the ring of events, since only it writes tables: it is in force a moment later.  What
 * was asked for in the last ASK_MS is not asked again, and of new ones a worker asks for at most
 * ASKS_A_TURN a turn, while its ring is at most half full: a flood of new addresses cannot
 * take the ring from others.  What is not asked for is counted (worker->sets_lost), and comes with
 * its next packet.
 *
 * On the wire (experimenter action 5): length of the prefix, padding, milliseconds (0: as the set
 * says), the OXM header of the field, of the second one (0: none), the set's name, zeros. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "datapath/worker.h"
#include "lib/hash.h"
#include "lib/openflow.h"
#include "lib/options.h"

enum { ASK_MS = 10, ASKS_A_TURN = 16 };

/* The op's data. */
struct set_add {
	uint64_t set, timeout_ms;
	uint16_t field, field2;
	uint8_t len, pad[3]; /* of the prefix, where the type has them */
};

static struct set_add set_add_of(const struct op *op)
{
	struct set_add a;

	memcpy(&a, op->data, sizeof a);
	return a;
}

uint64_t op_set(const struct op *op)
{
	return op->kind == ACTION_SET_ADD ? set_add_of(op).set : 0;
}

void op_set_fields(const struct op *op, uint16_t field[2])
{
	field[0] = field[1] = N_FIELDS;
	if (op->kind == ACTION_SET_ADD) {
		field[0] = set_add_of(op).field;
		field[1] = set_add_of(op).field2;
	}
}

/* ---- Running ------------------------------------------------------------------------------ */

/* It was asked for a moment ago, or is asked for now as far as others can tell. */
static bool asked(struct worker *w, const struct set *set, const struct set_key *key,
		  uint64_t now_ms)
{
	uint64_t h = hash_add(hash_seed, set->id ^ (uint64_t)key->len << 56);
	struct set_asked *slot;

	for (unsigned i = 0; i < ARRAY_SIZE(key->word); i++)
		h = hash_add(h, key->word[i]);
	h = hash_mix(h);
	slot = &w->set_asked[h % ARRAY_SIZE(w->set_asked)];
	if (slot->hash == h >> 32 && (uint32_t)now_ms - slot->ms < ASK_MS)
		return true;
	*slot = (struct set_asked){(uint32_t)(h >> 32), (uint32_t)now_ms};
	return false;
}

static bool may_ask(struct worker *w)
{
	if (w->sets_now != w->now || !w->now) {
		w->sets_now = w->now;
		w->sets_asks = 0;
	}
	return w->sets_asks < ASKS_A_TURN && ring_used(&w->events) <= w->events.size / 2;
}

static void ask(struct worker *w, const struct set *set, const struct set_key *key,
		uint64_t ends_ms)
{
	const struct event_set_add event = {
		.event = {EVENT_SET_ADD, sizeof event},
		.set = set->id,
		.member = {.key = *key, .ends_ms = ends_ms},
	};

	if (!may_ask(w) || !event_send(w, &event, sizeof event, NULL, 0)) {
		counter_add(&w->sets_lost, 1);
		return;
	}
	w->sets_asks++;
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	const struct set_add a = set_add_of(op);
	const struct field *const f[2] = {&fields[a.field],
					  a.field2 < N_FIELDS ? &fields[a.field2] : NULL};
	const struct key_view view = key_view_of(&p->key, &p->outer->key);
	const struct set *set = set_get(w->dp, a.set);
	uint64_t now_ms = w->now / NSEC_PER_MSEC, ends_ms;
	struct set_key key;

	/* What was never sent adds nothing. */
	if (w->private_trace || !set || !set_key_of(set->type, &view, f, &key))
		return ACT_NEXT;
	key.len = a.len;
	set_key_cut(set->type, &key);
	ends_ms = a.timeout_ms ? a.timeout_ms : set->timeout_ms;
	ends_ms = ends_ms ? now_ms + ends_ms : SET_FOREVER;
	if (!set_table_prolong(rcu_get(set->table), &key, now_ms, ends_ms) &&
	    !asked(w, set, &key, now_ms))
		ask(w, set, &key, ends_ms);
	return ACT_NEXT;
}

/* ---- Making one --------------------------------------------------------------------------- */

static int put_op(struct buf *ops, const char *name, struct set_add *a, struct refusal *r)
{
	const struct set *set = set_names ? set_names->by_name(name) : NULL;
	const struct field *f = &fields[a->field];
	const struct field *f2 = a->field2 < N_FIELDS ? &fields[a->field2] : NULL;
	unsigned width = f->text == TEXT_IPV6 ? 128 : 32;
	struct op *op;

	if (!set)
		return refuse(r, ACTION_ARGUMENT, "set_add", "set_add: there is no set '%.40s'",
			      name);
	if (!(set->flags & SET_TIMEOUTS))
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add: set %s has no timeouts, so packets could fill it for ever; "
			      "one made with timeout=… would be accepted",
			      name);
	if (!set_type_fits(set->type, f, f2))
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add: %s%s%s cannot be in set %s, whose type is %s: %s would be "
			      "accepted",
			      f->name, f2 ? "+" : "", f2 ? f2->name : "", name,
			      set_type_names[set->type], set_type_wants(set->type));
	if (a->len && (!set_type_has_prefixes(set->type) || a->len > width))
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add: %s/%u; a length of 1 to 32 (128) of an address alone would "
			      "be accepted",
			      f->name, a->len);
	if (a->len && a->len < (width == 32 ? 8 : 16))
		return refuse(r, TOO_WIDE, "set_add",
			      "set_add: one packet would put all of %s/%u into set %s; a prefix of "
			      "at least /%u would be accepted",
			      f->name, a->len, name, width == 32 ? 8 : 16);
	if (a->timeout_ms > SET_TIMEOUT_MAX_MS)
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add: a timeout of more than %llu s", SET_TIMEOUT_MAX_MS / 1000);
	if (!a->len && set_type_has_prefixes(set->type))
		a->len = (uint8_t)width;
	a->set = set->id;
	op = op_put(ops, ACTION_SET_ADD, 0, sizeof *a);
	memcpy(op->data, a, sizeof *a);
	return 0;
}

static int check_field(const struct field *f, const struct match *state, struct refusal *r)
{
	if (match_meets(state, f))
		return 0;
	return refuse(r, MATCH_INCONSISTENT, f->name,
		      "set_add: %s is not there unless the match has what it needs: %s", f->name,
		      field_needs(f));
}

static int validate(const struct op *op, struct match *state, struct refusal *r)
{
	const struct set_add a = set_add_of(op);
	int error = check_field(&fields[a.field], state, r);

	return error || a.field2 >= N_FIELDS ? error : check_field(&fields[a.field2], state, r);
}

/* ---- Text --------------------------------------------------------------------------------- */

/* FIELD[/LEN], FIELD+FIELD; cuts the text up. */
static int parse_fields(char *text, struct set_add *a, struct refusal *r)
{
	char *plus = strchr(text, '+'), *slash = strchr(text, '/');
	const struct field *f, *f2 = NULL;
	uint64_t len = 0;

	if (plus)
		*plus++ = '\0';
	if (slash)
		*slash++ = '\0';
	if (slash && (plus || parse_u64(slash, &len) || !len || len > 128))
		return refuse(r, ACTION_ARGUMENT, "set_add", "set_add: '/%.20s' is no length",
			      slash);
	f = field_by_name(text);
	f2 = plus ? field_by_name(plus) : NULL;
	if (!f || (plus && !f2))
		return refuse(r, ACTION_ARGUMENT, "set_add", "set_add: '%.32s' is no field",
			      f ? plus : text);
	a->field = (uint16_t)(f - fields);
	a->field2 = f2 ? (uint16_t)(f2 - fields) : N_FIELDS;
	a->len = (uint8_t)len;
	return 0;
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	struct set_add a = {0};
	char copy[192], *rest = copy, *name, *field, *more;
	uint64_t ns;

	if (strlen(arg) >= sizeof copy)
		return refuse(r, ACTION_ARGUMENT, "set_add", "set_add: '%.40s…' is too long", arg);
	strcpy(copy, arg);
	name = strsep(&rest, ",");
	field = strsep(&rest, ",");
	more = strsep(&rest, ",");
	if (!field || !*field || rest || (more && strncmp(more, "timeout=", 8)))
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add(%.64s); set_add(SET,FIELD) or set_add(SET,FIELD,timeout=60) "
			      "would be accepted",
			      arg);
	if (more && (parse_time(more + 8, &ns) || ns < NSEC_PER_SEC))
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add: '%.32s' is no time; a second at least, as in timeout=60",
			      more + 8);
	a.timeout_ms = more ? ns / NSEC_PER_MSEC : 0;
	if (parse_fields(field, &a, r))
		return -EINVAL;
	return put_op(ops, name, &a, r);
}

static void format(const struct op *op, struct buf *text)
{
	const struct set_add a = set_add_of(op);
	const struct field *f = &fields[a.field];
	const struct set *set = set_names ? set_names->by_id(a.set) : NULL;

	buf_printf(text, "set_add(%s,%s", set ? set->name : "?", f->name);
	if (a.field2 < N_FIELDS)
		buf_printf(text, "+%s", fields[a.field2].name);
	if (a.len && a.len < (f->text == TEXT_IPV6 ? 128 : 32))
		buf_printf(text, "/%u", a.len);
	if (a.timeout_ms && a.timeout_ms % 1000)
		buf_printf(text, ",timeout=%" PRIu64 "ms", a.timeout_ms);
	else if (a.timeout_ms)
		buf_printf(text, ",timeout=%" PRIu64, a.timeout_ms / 1000);
	buf_printf(text, ")");
}

/* ---- Wire --------------------------------------------------------------------------------- */

static const struct field *get_header(struct reader *body, bool *none)
{
	uint16_t class = pull_u16(body);
	uint8_t number = pull_u8(body);

	pull(body, 1);
	*none = !class && !number;
	return *none ? NULL : field_by_oxm(class, number >> 1, SLUICE_EXPERIMENTER);
}

static void put_header(const struct field *f, struct buf *wire)
{
	buf_u16(wire, f->oxm_class);
	buf_u8(wire, (uint8_t)(f->oxm_field << 1));
	buf_u8(wire, (uint8_t)f->size);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	struct set_add a = {.len = pull_u8(body)};
	const struct field *f, *f2;
	char name[SET_NAME] = "";
	const char *octets;
	bool none, none2;
	size_t size;

	pull(body, 1);
	a.timeout_ms = pull_u32(body);
	f = get_header(body, &none);
	f2 = get_header(body, &none2);
	size = reader_left(body);
	if (body->failed || size > 2 * SET_NAME)
		return refuse(r, ACTION_LEN, "set_add",
			      "a set_add action has 24 octets before a name of up to %d",
			      SET_NAME - 1);
	if (!f || (!f2 && !none2))
		return refuse(r, ACTION_ARGUMENT, "set_add", "set_add: a field that is unknown");
	octets = (const char *)pull(body, size);
	if (strnlen(octets, size) >= sizeof name)
		return refuse(r, ACTION_ARGUMENT, "set_add",
			      "set_add: a set's name of more than %d octets", SET_NAME - 1);
	memcpy(name, octets, MIN(size, sizeof name - 1));
	a.field = (uint16_t)(f - fields);
	a.field2 = f2 ? (uint16_t)(f2 - fields) : N_FIELDS;
	return put_op(ops, name, &a, r);
}

static void put(const struct op *op, struct buf *wire)
{
	const struct set_add a = set_add_of(op);
	const struct set *set = set_names ? set_names->by_id(a.set) : NULL;
	const char *name = set ? set->name : "";

	buf_u8(wire, a.len);
	buf_u8(wire, 0);
	buf_u32(wire, (uint32_t)a.timeout_ms);
	put_header(&fields[a.field], wire);
	if (a.field2 < N_FIELDS)
		put_header(&fields[a.field2], wire);
	else
		buf_put(wire, 4);
	buf_octets(wire, name, strlen(name));
}

const struct action_class act_set_add = {
	.name = "set_add",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_SET_ADD,
	.order = SET_NEVER,
	.effects = true,
	.run = run,
	.validate = validate,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
