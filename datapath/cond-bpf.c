/* SPDX-License-Identifier: Apache-2.0 */
/* A program of classic BPF: `bpf="tcp port 80 and tcp[2:2] > 1023"`, `bpf="4,48 0 0 9,…"`,
 * `outer_bpf="…"`, negated `bpf=!"…"`.
 *
 * `bpf` sees the data unit from its IP header on, on every port (link type raw, as xt_bpf's
 * programs do); what is not IP it does not take.  `outer_bpf` sees the frame as it arrived, from
 * its Ethernet header on (a virtual one of zeros on a layer-3 port); of a plain frame, which is its
 * own outer packet, what it is at the time.  Its length is the IP packet's, or the frame's.
 *
 * Octets that may be read are those of the headers that the parser understood; a load behind them
 * ends the program, and it has not taken the packet.  `payload=yes` behind a `bpf` gives it the
 * first BPF_PAYLOAD octets, however they lie in segments. */
#include <errno.h>

#include "datapath/bpf.h"
#include "datapath/match.h"
#include "datapath/worker.h"

#include <linux/if_ether.h>

enum { BPF_PAYLOAD = 256 };

/* What a program is given. */
struct view {
	const uint8_t *data;
	uint32_t size, len;
	uint8_t copy[BPF_PAYLOAD];
};

/* The IP packet's own length, without what an Ethernet frame was filled up with. */
static uint32_t ip_len(const uint8_t *ip, uint32_t size, uint32_t left)
{
	uint32_t len = left;

	if (size >= 20 && ip[0] >> 4 == 4)
		len = get_be16(ip + 2);
	else if (size >= 40 && ip[0] >> 4 == 6)
		len = 40u + get_be16(ip + 4);
	return MIN(len, left);
}

static bool is_ip(const struct key_view *key)
{
	const struct du_key *du = (const struct du_key *)key->part[0];

	return du->eth_type == htobe16(ETH_P_IP) || du->eth_type == htobe16(ETH_P_IPV6);
}

/* False: there is nothing that a program could take. */
static bool view_pkt(const struct probe *s, bool payload, struct view *v)
{
	const struct pkt *p = s->pkt;
	uint32_t first = p->seg[0].len, end = MIN((uint32_t)p->payload, first);

	if (!p->l3 || end <= p->l3)
		return false;
	v->data = p->data + p->l3;
	v->size = end - p->l3;
	v->len = ip_len(v->data, v->size, p->len - p->l3);
	if (payload) {
		uint32_t want = MIN(v->len, (uint32_t)BPF_PAYLOAD);

		v->size = MIN(want, first - p->l3);
		if (want > v->size && s->worker) {
			pkt_copy_out(s->worker, p, p->l3, want, v->copy);
			v->data = v->copy;
			v->size = want;
		}
	}
	v->size = MIN(v->size, v->len);
	return true;
}

/* A snapshot has headers alone. */
static bool view_octets(struct probe *s, bool payload, struct view *v)
{
	const struct probe_octets *o = s->octets;

	if (!o->l3 || o->size <= o->l3)
		return false;
	v->data = o->data + o->l3;
	v->size = o->size - o->l3;
	v->len = ip_len(v->data, v->size, MAX(o->len, o->size) - o->l3);
	s->unknown |= payload && v->size < MIN(v->len, (uint32_t)BPF_PAYLOAD);
	v->size = MIN(v->size, v->len);
	return true;
}

/* The frame that the data unit came in: its record lies beside it. */
static bool view_frame(const struct probe *s, struct view *v)
{
	const struct outer *o = s->pkt->outer;
	bool virtual_eth = !(be32toh(o->key.has) & HAS_ETH);

	v->data = frame_base(s->worker->frames.umem, s->pkt->outer_frame) + o->off;
	v->size = o->headers;
	v->len = be32toh(o->key.frame_len) + (virtual_eth ? ETH_HLEN : 0);
	return v->size;
}

static bool view_outer(struct probe *s, struct view *v)
{
	const struct pkt *p = s->pkt;

	if (p && p->flags & PKT_DECAPPED)
		return s->worker && p->outer && view_frame(s, v);
	if (p) {
		v->data = p->data;
		v->size = MIN(p->payload, p->seg[0].len);
		v->len = p->len;
		return true;
	}
	v->data = s->octets->data;
	v->size = s->octets->size;
	v->len = s->octets->len;
	s->unknown |= !s->octets->outer;
	return true;
}

static bool holds(const struct cond *c, struct probe *s)
{
	bool payload = c->flags & COND_PAYLOAD, there;
	struct view v;

	s->fleeting = true;
	if (!s->pkt && !s->octets) {
		s->unknown = true;
		return false;
	}
	if (c->flags & COND_OUTER)
		there = view_outer(s, &v);
	else if (!is_ip(&s->key))
		there = false;
	else
		there = s->pkt ? view_pkt(s, payload, &v) : view_octets(s, payload, &v);
	if (unlikely(!bpf_exists(c->bpf)))
		s->unknown = true; /* nor does its negation hold */
	return there && bpf_run(c->bpf, v.data, v.size, v.len);
}

/* ---- Text -------------------------------------------------------------------------------- */

static const char *word(const struct cond *c)
{
	return c->flags & COND_OUTER ? "outer_bpf" : "bpf";
}

static enum bpf_link link_of(const struct cond *c)
{
	return c->flags & COND_OUTER ? BPF_ETHERNET : BPF_IP;
}

/* `"…"` or a word without quotes. */
static int parse_program(struct cond *c, const char *value, struct refusal *r)
{
	size_t size = strlen(value);
	struct buf text = {0};
	int error;

	if (*value == '"') {
		if (size < 2 || value[size - 1] != '"')
			return refuse(r, SYNTAX, word(c), "%s: the quote \" does not end", word(c));
		value++;
		size -= 2;
	}
	buf_octets(&text, value, size);
	if (strchr(buf_text(&text), '"'))
		error = refuse(r, SYNTAX, word(c), "%s: a quote \" within quotes", word(c));
	else
		error = bpf_parse(link_of(c), buf_text(&text), &c->bpf, r);
	buf_free(&text);
	return error;
}

/* `payload=yes`: for the programs said before it. */
static int give_payload(struct match *m, const char *value, struct refusal *r)
{
	struct match said = *m;
	bool any = false;

	if (!value || strcmp(value, "yes"))
		return refuse(r, BAD_VALUE, "payload",
			      "payload=%.20s; payload=yes behind a bpf=… would be accepted",
			      value ? value : "");
	m->n_conds = 0;
	memset(m->cond, 0, sizeof m->cond);
	for (unsigned i = 0; i < said.n_conds; i++) {
		struct cond c = said.cond[i];
		int error;

		if (c.kind == COND_BPF && !(c.flags & COND_OUTER)) {
			c.flags |= COND_PAYLOAD;
			any = true;
		}
		error = match_add_cond(m, &c, r);
		if (error)
			return error;
	}
	return any ? 0
		   : refuse(r, SYNTAX, "payload",
			    "payload=yes without a bpf=… in front of it; outer_bpf reads headers "
			    "alone");
}

static int parse_word(struct match *m, const char *name, const char *value, struct refusal *r)
{
	struct cond c = {.kind = COND_BPF, .field = N_FIELDS, .field2 = N_FIELDS};
	int error;

	if (!strcmp(name, "payload"))
		return give_payload(m, value, r);
	if (!strcmp(name, "outer_bpf"))
		c.flags = COND_OUTER;
	else if (strcmp(name, "bpf"))
		return -ENOENT;
	if (value && *value == '!') {
		c.flags |= COND_NEGATED;
		value++;
	}
	error = parse_program(&c, value ? value : "", r);
	return error ? error : match_add_cond(m, &c, r);
}

static void format(const struct cond *c, struct buf *text)
{
	buf_printf(text, "\"");
	bpf_format(c->bpf, text);
	buf_printf(text, "\"");
}

/* ---- OXM --------------------------------------------------------------------------------- */

/* An octet that says how it is written (0: text, 1: bytecode), then that. */
enum { FORM_TEXT, FORM_CODE, ARGUMENT_MAX = 255 - 8 };

static int get(struct cond *c, struct reader *body, struct refusal *r)
{
	uint8_t form = pull_u8(body);
	size_t size = reader_left(body);
	struct buf text = {0};
	int error;

	if (c->flags & COND_OUTER && c->flags & COND_PAYLOAD)
		return refuse(r, BAD_VALUE, "outer_bpf", "outer_bpf reads headers alone");
	if (body->failed || !size || form > FORM_CODE)
		return refuse(
			r, MATCH_LEN, word(c),
			"%s: no program; form 0 and an expression or form 1 and bytecode would "
			"be accepted",
			word(c));
	if (form == FORM_CODE)
		return bpf_decode(link_of(c), body, &c->bpf, r);
	buf_octets(&text, pull(body, size), size);
	if (memchr(text.data, '\0', size) || memchr(text.data, '"', size))
		error = refuse(r, BAD_VALUE, word(c), "%s: an octet that is no text", word(c));
	else
		error = bpf_parse(link_of(c), buf_text(&text), &c->bpf, r);
	buf_free(&text);
	return error;
}

static bool put(const struct cond *c, struct buf *wire)
{
	struct buf said = {0};
	uint8_t form = bpf_has_text(c->bpf) ? FORM_TEXT : FORM_CODE;
	bool fits;

	if (form == FORM_TEXT)
		bpf_format(c->bpf, &said);
	if (said.size >= ARGUMENT_MAX) {
		said.size = 0;
		form = FORM_CODE;
	}
	if (form == FORM_CODE)
		bpf_encode(c->bpf, &said);
	fits = said.size && said.size < ARGUMENT_MAX;
	if (fits) {
		buf_u8(wire, form);
		buf_octets(wire, said.data, said.size);
	}
	buf_free(&said);
	return fits;
}

static bool exists(const struct cond *c)
{
	return bpf_exists(c->bpf);
}

static void hold(const struct cond *c)
{
	bpf_hold(c->bpf);
}

static void release(const struct cond *c)
{
	bpf_release(c->bpf);
}

const struct cond_class cond_bpf = {
	.name = "program",
	.oxm = SLUICE_OXM_BPF,
	.holds = holds,
	.parse_word = parse_word,
	.word = word,
	.format = format,
	.get = get,
	.put = put,
	.exists = exists,
	.hold = hold,
	.release = release,
};
