/* SPDX-License-Identifier: Apache-2.0 */
/* Groups (TS-023, 7.3.4.3 and 7.3.5.7 to 10).  A group is read back as it was given; one whose
 * description or counters are too long for a message (some 2,000 buckets, which no group-mod can
 * say) is left out, and sluice-ctl shows it. */
#include <stdlib.h>

#include "ctl/msg.h"
#include "ofproto/groups.h"

/* ---- Modification ----------------------------------------------------------------------- */

/* struct ofp_bucket */
static int get_bucket(struct reader *body, struct bucket_spec *b, struct refusal *r)
{
	uint16_t len = pull_u16(body);
	struct reader actions;

	*b = (struct bucket_spec){.weight = pull_u16(body)};
	b->watch_port = pull_u32(body);
	b->watch_group = pull_u32(body);
	pull(body, 4);
	if (body->failed || len < sizeof(struct ofp_bucket) || len % 8 ||
	    len - sizeof(struct ofp_bucket) > reader_left(body))
		return refuse(r, BAD_BUCKET, "len",
			      "a bucket of %u octets; a multiple of 8, of %zu or more, within its "
			      "message would be accepted",
			      len, sizeof(struct ofp_bucket));
	actions = pull_reader(body, len - sizeof(struct ofp_bucket));
	return actions_get(&actions, &b->actions, r);
}

static int get_buckets(struct reader *body, struct group_spec *spec, struct refusal *r)
{
	unsigned room = (unsigned)(reader_left(body) / sizeof(struct ofp_bucket));

	if (!reader_left(body))
		return 0;
	spec->bucket = calloc(MAX(room, 1u), sizeof *spec->bucket);
	if (!spec->bucket)
		abort();
	while (reader_left(body)) {
		if (spec->n_buckets == room)
			return refuse(r, BAD_BUCKET, "len", "%zu octets behind the last bucket",
				      reader_left(body));
		if (get_bucket(body, &spec->bucket[spec->n_buckets++], r))
			return -EINVAL;
	}
	return 0;
}

static int group_mod_get(struct reader *body, struct group_mod *gm, struct refusal *r)
{
	gm->command = pull_u16(body);
	gm->spec.type = pull_u8(body);
	pull(body, 1);
	gm->spec.id = pull_u32(body);
	if (gm->command > OFPGC_DELETE)
		return refuse(r, GROUP_COMMAND, "command",
			      "group-mod command %u; there are 0 to %u", gm->command, OFPGC_DELETE);
	/* Of a delete neither type nor buckets are looked at. */
	return gm->command == OFPGC_DELETE ? 0 : get_buckets(body, &gm->spec, r);
}

int msg_group_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct group_mod gm = {0};
	struct waiter *w;
	int error = group_mod_get(&m->body, &gm, r);

	if (!error && m->part != OFMSG_CHECKED) {
		w = of_waiter(c, m, NULL);
		error = of_waits(w, ofproto_group_mod(c->server->ofproto, &gm, w, r));
	}
	group_spec_free(&gm.spec);
	return error;
}

/* ---- Statistics and descriptions -------------------------------------------------------- */

/* The ids of the groups at the request; each page is made from what they are then. */
struct group_dump {
	struct ofreply reply;
	uint32_t n, room, at;
	uint32_t *id;
};

struct dump_visit {
	struct group_visit visit;
	struct group_dump *dump;
	struct buf *page;
};

static int note(struct group_visit *v, const struct group_spec *spec, const struct group_stats *s)
{
	struct group_dump *dump = container_of(v, struct dump_visit, visit)->dump;

	(void)s;
	if (dump->n == dump->room) {
		dump->room = MAX(dump->room * 2, 64u);
		dump->id = realloc(dump->id, dump->room * sizeof *dump->id);
		if (!dump->id)
			abort();
	}
	dump->id[dump->n++] = spec->id;
	return 0;
}

/* struct ofp_group_stats */
static void put_stats(struct buf *b, const struct group_spec *spec, const struct group_stats *s)
{
	buf_u16(b, 0);
	buf_put(b, 2);
	buf_u32(b, spec->id);
	buf_u32(b, s->refs);
	buf_put(b, 4);
	buf_u64(b, s->total.packets);
	buf_u64(b, s->total.bytes);
	of_put_duration(b, s->duration_ns);
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		buf_u64(b, s->bucket[i].packets);
		buf_u64(b, s->bucket[i].bytes);
	}
}

/* struct ofp_group_desc */
static void put_desc(struct buf *b, const struct group_spec *spec)
{
	buf_u16(b, 0);
	buf_u8(b, spec->type);
	buf_put(b, 1);
	buf_u32(b, spec->id);
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		const struct bucket_spec *bucket = &spec->bucket[i];
		size_t begin = b->size;

		buf_u16(b, 0);
		buf_u16(b, bucket->weight);
		buf_u32(b, bucket->watch_port);
		buf_u32(b, bucket->watch_group);
		buf_put(b, 4);
		actions_put(bucket->actions.data, bucket->actions.size, b);
		put_be16(b->data + begin, (uint16_t)(b->size - begin));
	}
}

static int put_one(struct group_visit *v, const struct group_spec *spec,
		   const struct group_stats *s)
{
	const struct dump_visit *d = container_of(v, struct dump_visit, visit);
	size_t begin = d->page->size, size;

	if (d->dump->reply.type == OFPMP_GROUP)
		put_stats(d->page, spec, s);
	else
		put_desc(d->page, spec);
	size = d->page->size - begin;
	if (size > UINT16_MAX - sizeof(struct ofp_multipart_request))
		d->page->size = begin;
	else
		put_be16(d->page->data + begin, (uint16_t)size);
	return 0;
}

static bool dump_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct group_dump *dump = container_of(reply, struct group_dump, reply);
	struct dump_visit v = {{put_one}, dump, page};
	size_t before = page->size;

	while (dump->at < dump->n && page->size == before)
		ofproto_groups(c->server->ofproto, dump->id[dump->at++], &v.visit);
	return page->size != before;
}

static void dump_end(struct ofconn *c, struct ofreply *reply)
{
	struct group_dump *dump = container_of(reply, struct group_dump, reply);

	(void)c;
	free(dump->id);
	free(dump);
}

static int group_dump(struct ofconn *c, const struct ofmsg *m, uint16_t type, uint32_t id)
{
	struct group_dump *dump = calloc(1, sizeof *dump);
	struct dump_visit v = {{note}, dump, NULL};

	if (!dump)
		abort();
	dump->reply = (struct ofreply){type, m->xid, dump_next, dump_end, {0}, 0};
	ofproto_groups(c->server->ofproto, id, &v.visit);
	ofconn_reply(c, &dump->reply);
	return 0;
}

int multipart_group(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	return group_dump(c, m, OFPMP_GROUP, pull_u32(&m->body));
}

int multipart_group_desc(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	return group_dump(c, m, OFPMP_GROUP_DESC, OFPG_ALL);
}

int multipart_group_features(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t actions = 0;
	struct buf b;

	(void)r;
	for (unsigned i = 0; i < N_ACTIONS; i++) {
		const struct action_class *a = action_class(i);

		if (a->run && a->of_type >= 0 && a->of_type < 32 && a->order != SET_NEVER)
			actions |= 1u << a->of_type;
	}
	of_begin_multipart(&b, OFPMP_GROUP_FEATURES, m->xid);
	buf_u32(&b, 1u << OFPGT_ALL | 1u << OFPGT_SELECT | 1u << OFPGT_INDIRECT | 1u << OFPGT_FF);
	buf_u32(&b, OFPGFC_SELECT_WEIGHT | OFPGFC_SELECT_LIVENESS | OFPGFC_CHAINING |
			    OFPGFC_CHAINING_CHECKS);
	for (unsigned i = 0; i < 4; i++)
		buf_u32(&b, GROUPS_MAX);
	for (unsigned i = 0; i < 4; i++)
		buf_u32(&b, actions);
	ofconn_send(c, &b);
	return 0;
}
