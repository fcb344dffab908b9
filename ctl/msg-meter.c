/* SPDX-License-Identifier: Apache-2.0 */
/* Meters (TS-023, 7.3.4.4 and 7.3.5.11 to 13).  A meter is read back as it was given; the flag
 * SLUICE_METER_AGGREGATE is for peers of our extension, others see the meter without it. */
#include <stdlib.h>

#include "ctl/msg.h"
#include "ofproto/meters.h"

/* ---- Modification ----------------------------------------------------------------------- */

static int get_band(struct reader *body, struct meter_config *m, struct refusal *r)
{
	struct meter_band_config band = {.type = pull_u16(body)};
	uint16_t size = pull_u16(body);

	band.rate = pull_u32(body);
	band.burst = pull_u32(body);
	band.prec_level = pull_u8(body);
	pull(body, 3);
	if (body->failed || size != sizeof(struct ofp_meter_band))
		return refuse(r, BAD_LEN, "length",
			      "a band of %u octets; drop and dscp_remark have %zu", size,
			      sizeof(struct ofp_meter_band));
	if (band.type != OFPMBT_DSCP_REMARK)
		band.prec_level = 0; /* padding */
	if (m->n_bands == METER_BANDS)
		return refuse(r, OUT_OF_BANDS, "bands",
			      "more bands than the %d that a meter can have", METER_BANDS);
	m->band[m->n_bands++] = band;
	return 0;
}

static int meter_mod_get(struct reader *body, uint16_t *command, struct meter_config *m,
			 struct refusal *r)
{
	int error = 0;

	*command = pull_u16(body);
	m->flags = pull_u16(body);
	m->number = pull_u32(body);
	while (*command < OFPMC_DELETE && reader_left(body) && !error)
		error = get_band(body, m, r);
	return error;
}

int msg_meter_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct meter_config config = {0};
	struct waiter *w;
	uint16_t command;
	int error = meter_mod_get(&m->body, &command, &config, r);

	if (error || m->part == OFMSG_CHECKED)
		return error;
	c->extended |= !!(config.flags & SLUICE_METER_AGGREGATE);
	w = of_waiter(c, m, NULL);
	return of_waits(w, ofproto_meter_mod(c->server->ofproto, command, &config, w, r));
}

/* ---- Statistics and configuration ------------------------------------------------------- */

/* The numbers of the meters at the request; each page is made from what they are then. */
struct meter_dump {
	struct ofreply reply;
	uint32_t n, at;
	uint32_t number[];
};

struct dump_visit {
	struct meter_visit visit;
	struct meter_dump *dump;
	const struct ofconn *conn;
	struct buf *page;
};

static int note(struct meter_visit *v, const struct meter_config *m, const struct meter_stats *s)
{
	struct meter_dump *dump = container_of(v, struct dump_visit, visit)->dump;

	(void)s;
	dump->number[dump->n++] = m->number;
	return 0;
}

/* struct ofp_meter_stats */
static void put_stats(struct meter_visit *v, const struct meter_config *m,
		      const struct meter_stats *s)
{
	struct buf *b = container_of(v, struct dump_visit, visit)->page;

	buf_u32(b, m->number);
	buf_u16(b, (uint16_t)(sizeof(struct ofp_meter_stats) +
			      m->n_bands * sizeof(struct ofp_meter_band_stats)));
	buf_put(b, 6);
	buf_u32(b, s->n_flows);
	buf_u64(b, s->in.packets);
	buf_u64(b, s->in.bytes);
	of_put_duration(b, s->duration_ns);
	for (unsigned i = 0; i < m->n_bands; i++) {
		buf_u64(b, s->band[i].packets);
		buf_u64(b, s->band[i].bytes);
	}
}

/* struct ofp_meter_config */
static void put_config(struct meter_visit *v, const struct meter_config *m)
{
	const struct dump_visit *d = container_of(v, struct dump_visit, visit);
	unsigned hidden = d->conn->extended ? 0 : SLUICE_METER_AGGREGATE;
	struct buf *b = d->page;

	buf_u16(b, (uint16_t)(sizeof(struct ofp_meter_config) +
			      m->n_bands * sizeof(struct ofp_meter_band)));
	buf_u16(b, (uint16_t)(m->flags & ~hidden));
	buf_u32(b, m->number);
	for (unsigned i = 0; i < m->n_bands; i++) {
		buf_u16(b, m->band[i].type);
		buf_u16(b, sizeof(struct ofp_meter_band));
		buf_u32(b, m->band[i].rate);
		buf_u32(b, m->band[i].burst);
		buf_u8(b, m->band[i].prec_level);
		buf_put(b, 3);
	}
}

static int put_one(struct meter_visit *v, const struct meter_config *m, const struct meter_stats *s)
{
	if (container_of(v, struct dump_visit, visit)->dump->reply.type == OFPMP_METER)
		put_stats(v, m, s);
	else
		put_config(v, m);
	return 0;
}

static bool dump_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct meter_dump *dump = container_of(reply, struct meter_dump, reply);
	struct dump_visit v = {{put_one}, dump, c, page};
	size_t before = page->size;

	while (dump->at < dump->n && page->size == before)
		ofproto_meters(c->server->ofproto, dump->number[dump->at++], &v.visit);
	return page->size != before;
}

static void dump_end(struct ofconn *c, struct ofreply *reply)
{
	(void)c;
	free(container_of(reply, struct meter_dump, reply));
}

int multipart_meter(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint16_t type = get_be16(m->octets + offsetof(struct ofp_multipart_request, type));
	struct ofproto *o = c->server->ofproto;
	uint32_t number = pull_u32(&m->body);
	struct meter_dump *dump;
	struct dump_visit v = {{note}, NULL, c, NULL};

	if (number != OFPM_ALL && !ofproto_meter(o, number))
		return refuse(r, UNKNOWN_METER, "meter_id", "meter %u does not exist", number);
	dump = calloc(1, sizeof *dump + ofproto_meter_totals(o).n * sizeof dump->number[0]);
	if (!dump)
		abort();
	dump->reply = (struct ofreply){type, m->xid, dump_next, dump_end, {0}, 0};
	v.dump = dump;
	ofproto_meters(o, number, &v.visit);
	ofconn_reply(c, &dump->reply);
	return 0;
}

int multipart_meter_features(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct buf b;

	(void)r;
	of_begin_multipart(&b, OFPMP_METER_FEATURES, m->xid);
	buf_u32(&b, METERS_MAX);
	buf_u32(&b, 1u << OFPMBT_DROP | 1u << OFPMBT_DSCP_REMARK);
	buf_u32(&b, OFPMF_KBPS | OFPMF_PKTPS | OFPMF_BURST | OFPMF_STATS);
	buf_u8(&b, METER_BANDS);
	buf_u8(&b, METER_PREC_MAX);
	buf_put(&b, 2);
	ofconn_send(c, &b);
	return 0;
}
