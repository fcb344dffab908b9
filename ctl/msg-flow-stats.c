/* SPDX-License-Identifier: Apache-2.0 */
/* Individual and aggregate flow statistics (TS-023, 7.3.5.2 and 7.3.5.3).
 *
 * A dump notes the ids of the rules that match at its beginning, four octets each, and makes
 * the pages from the rules themselves as the peer takes them; a rule that has gone meanwhile is
 * left out, and so is one that came later and got its id.  What standard messages cannot say is
 * left out for peers that never used our extension; aggregates count it. */
#include <errno.h>
#include <stdlib.h>

#include "ctl/msg.h"
#include "datapath/table.h"

void of_note_extension(struct ofconn *c, const struct match *m)
{
	struct field_set set;

	c->extended |= m->n_conds > 0;
	if (c->extended)
		return;
	set = match_fields(m);
	for (unsigned i = 0; i < N_FIELDS; i++) {
		if (fields[i].oxm_class == OFPXMC_EXPERIMENTER && set.bit[i / 64] >> i % 64 & 1)
			c->extended = true;
	}
}

static bool ops_are_standard(const struct buf *ops)
{
	OP_FOR_EACH(op, ops->data, ops->size)
	{
		int type = action_class(op->kind)->of_type;

		if (type < 0 || type == OFPAT_EXPERIMENTER)
			return false;
	}
	return true;
}

static bool instructions_are_standard(const struct instructions *i)
{
	return ops_are_standard(&i->apply) && ops_are_standard(&i->write);
}

bool of_flow_is_standard(const struct flow *f)
{
	return instructions_are_standard(&f->instructions);
}

void of_note_actions(struct ofconn *c, const struct instructions *i)
{
	c->extended |= !instructions_are_standard(i);
}

void of_put_duration(struct buf *b, uint64_t duration_ns)
{
	buf_u32(b, (uint32_t)MIN(duration_ns / NSEC_PER_SEC, (uint64_t)UINT32_MAX));
	buf_u32(b, (uint32_t)(duration_ns % NSEC_PER_SEC));
}

static int filter_get(struct ofconn *c, struct reader *body, struct flow_filter *filter,
		      struct refusal *r)
{
	int error;

	flow_filter_init(filter);
	filter->plain = true;
	filter->table = pull_u8(body);
	pull(body, 3);
	filter->out_port = pull_u32(body);
	filter->out_group = pull_u32(body);
	pull(body, 4);
	filter->cookie = pull_u64(body);
	filter->cookie_mask = pull_u64(body);
	if (filter->table != OFPTT_ALL && filter->table >= ofproto_n_tables(c->server->ofproto))
		return refuse(r, REQUEST_TABLE, "table_id", "table %u does not exist; there are %u",
			      filter->table, ofproto_n_tables(c->server->ofproto));
	error = match_get_oxm(&filter->match, body, r);
	if (!error && reader_left(body))
		error = refuse(r, BAD_LEN, "length", "%zu octets behind the match",
			       reader_left(body));
	if (!error)
		of_note_extension(c, &filter->match);
	return error;
}

/* ---- Individual ------------------------------------------------------------------------- */

struct flow_dump {
	struct ofreply reply;
	uint64_t begun_ns;
	uint32_t *id;
	size_t n, room, at;
};

struct dump_visit {
	struct flow_visit visit;
	struct flow_dump *dump;
	size_t most;
};

static int dump_note(struct flow_visit *visit, const struct flow *f, const struct flow_stats *stats)
{
	struct dump_visit *v = container_of(visit, struct dump_visit, visit);
	struct flow_dump *dump = v->dump;

	(void)stats;
	if (dump->n == dump->room) {
		dump->room = MAX(dump->room * 2, (size_t)64);
		if (dump->room * sizeof *dump->id > v->most)
			return -ENOBUFS;
		dump->id = realloc(dump->id, dump->room * sizeof *dump->id);
		if (!dump->id)
			abort();
	}
	dump->id[dump->n++] = f->rule_id;
	return 0;
}

bool of_put_flow(const struct ofconn *c, const struct flow *f, const struct flow_stats *stats,
		 struct buf *b)
{
	size_t begin = b->size;

	if (!c->extended && !of_flow_is_standard(f))
		return false;
	buf_u16(b, 0);
	buf_u8(b, f->table);
	buf_u8(b, 0);
	of_put_duration(b, stats->duration_ns);
	buf_u16(b, f->priority);
	buf_u16(b, f->idle_timeout);
	buf_u16(b, f->hard_timeout);
	buf_u16(b, f->flags);
	buf_u32(b, 0);
	buf_u64(b, f->cookie);
	buf_u64(b, stats->packets);
	buf_u64(b, stats->bytes);
	if (!match_put_oxm(&f->match, b, !c->extended)) {
		b->size = begin;
		return false;
	}
	instructions_put(&f->instructions, b);
	put_be16(b->data + begin, (uint16_t)MIN(b->size - begin, (size_t)UINT16_MAX));
	return true;
}

static bool dump_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct flow_dump *dump = container_of(reply, struct flow_dump, reply);
	struct flow_stats stats;

	while (dump->at < dump->n) {
		const struct flow *f =
			ofproto_flow(c->server->ofproto, dump->id[dump->at++], &stats);

		if (f && f->created_ns <= dump->begun_ns && of_put_flow(c, f, &stats, page))
			return true;
	}
	return false;
}

static void dump_end(struct ofconn *c, struct ofreply *reply)
{
	struct flow_dump *dump = container_of(reply, struct flow_dump, reply);

	c->server->dump_octets -= dump->room * sizeof *dump->id;
	free(dump->id);
	free(dump);
}

int multipart_flow(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct ofserver *s = c->server;
	struct dump_visit v = {{dump_note}, NULL, DUMPS_OCTETS - s->dump_octets};
	struct flow_filter filter;
	struct flow_dump *dump;
	int error = filter_get(c, &m->body, &filter, r);

	if (error)
		return error;
	dump = calloc(1, sizeof *dump);
	if (!dump)
		abort();
	dump->reply = (struct ofreply){OFPMP_FLOW, m->xid, dump_next, dump_end, {0}, 0};
	dump->begun_ns = ofproto_now(s->ofproto);
	v.dump = dump;
	ofproto_flows(s->ofproto, &filter, &v.visit);
	if (dump->room * sizeof *dump->id > v.most) {
		free(dump->id);
		free(dump);
		return refuse(r, MULTIPART_OVERFLOW, "type",
			      "flow dumps of all peers hold %zu octets already; ask again later",
			      s->dump_octets);
	}
	s->dump_octets += dump->room * sizeof *dump->id;
	ofconn_reply(c, &dump->reply);
	return 0;
}

/* ---- Aggregate -------------------------------------------------------------------------- */

struct aggregate {
	struct flow_visit visit;
	struct ofproto *ofproto;
	uint64_t packets, bytes;
	uint32_t flows;
};

static int aggregate_add(struct flow_visit *visit, const struct flow *f,
			 const struct flow_stats *stats)
{
	struct aggregate *a = container_of(visit, struct aggregate, visit);
	struct flow_stats n;

	(void)stats;
	if (ofproto_flow(a->ofproto, f->rule_id, &n)) {
		a->packets += n.packets;
		a->bytes += n.bytes;
		a->flows++;
	}
	return 0;
}

int multipart_aggregate(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct aggregate a = {.visit = {aggregate_add}, .ofproto = c->server->ofproto};
	struct flow_filter filter;
	struct buf b;
	int error = filter_get(c, &m->body, &filter, r);

	if (error)
		return error;
	ofproto_flows(c->server->ofproto, &filter, &a.visit);
	of_begin_multipart(&b, OFPMP_AGGREGATE, m->xid);
	buf_u64(&b, a.packets);
	buf_u64(&b, a.bytes);
	buf_u32(&b, a.flows);
	buf_u32(&b, 0);
	ofconn_send(c, &b);
	return 0;
}
