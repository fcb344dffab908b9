/* SPDX-License-Identifier: Apache-2.0 */
/* The `iptfs` encapsulation: options, life and readings of a connection.  iptfs-rx.c takes
 * aggregates apart, iptfs-tx.c puts them together. */
#include "datapath/iptfs.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/worker.h"

/* ---- Whose packet --------------------------------------------------------------------------- */

static bool iptfs_identify(const struct pkt *p, struct conn_id *id)
{
	const uint8_t *esp = p->data + p->payload;

	if (id->proto == 17) {
		if (!p->l4 || p->key.tp_dst != htobe16(IPTFS_UDP_PORT))
			return false;
		id->udp_dst = p->key.tp_dst;
	} else if (id->proto != 50) {
		return false;
	}
	if (p->key.ip_frag & IP_FRAG_LATER || p->seg[0].len < p->payload + ESP_HLEN ||
	    iptfs_esp_size(p, p->l4) < ESP_HLEN)
		return false;
	memcpy(&id->id, esp, 4);
	return id->id != 0; /* the marker of what is not ESP (RFC 3948 2.2) */
}

/* RFC 3948 2.3: one octet, 0xff. */
static bool iptfs_keepalive(const struct pkt *p)
{
	return p->l4 && get_be16(p->data + p->l4 + 4) == 8 + 1 && p->seg[0].len > p->payload &&
	       p->data[p->payload] == 0xff;
}

static void iptfs_collect(const struct pkt *p, struct outer_key *o)
{
	memcpy(&o->esp_spi, p->data + p->payload, 4);
	o->has |= htobe32(HAS_ESP);
}

/* ---- Options -------------------------------------------------------------------------------- */

struct settings {
	const struct esp_cipher *cipher;
	uint64_t spi_in, spi_out; /* 0: this direction is left out */
	struct esp_keys in, out;
	bool esn;
	uint64_t replay, reorder, size, dscp, seq_in;
};

static int read_keys(struct options *o, struct esp_keys *k, bool out, struct refusal *r)
{
	struct octets key = {k->key, sizeof k->key, 0}, auth = {k->auth, sizeof k->auth, 0};

	if (option_hex(o, out ? "key-out" : "key-in", &key, r) ||
	    option_hex(o, out ? "auth-key-out" : "auth-key-in", &auth, r))
		return -EINVAL;
	k->key_size = key.size;
	k->auth_size = auth.size;
	return 0;
}

static int read_security(struct settings *t, struct options *o, struct refusal *r)
{
	static const struct range spi = {256, UINT32_MAX}; /* 1-255 are reserved (RFC 4303 2.1) */
	const char *name = option(o, "cipher");
	const uint64_t seq_max = UINT64_MAX - 1;

	t->cipher = esp_cipher_by_name(name ? name : "aes128gcm");
	if (!t->cipher)
		return refuse(r, BAD_VALUE, "cipher", "no cipher %.32s; there are %s", name,
			      esp_cipher_names);
	t->esn = true;
	t->replay = 64;
	if (option_u64(o, "spi-in", spi, &t->spi_in, r) ||
	    option_u64(o, "spi-out", spi, &t->spi_out, r) || read_keys(o, &t->in, false, r) ||
	    read_keys(o, &t->out, true, r) || option_bool(o, "esn", &t->esn, r) ||
	    option_u64(o, "replay", (struct range){REPLAY_MIN, REPLAY_MAX}, &t->replay, r) ||
	    option_u64(o, "seq-in", (struct range){0, t->esn ? seq_max : UINT32_MAX}, &t->seq_in,
		       r))
		return -EINVAL;
	if (!t->spi_in && !t->spi_out)
		return refuse(r, BAD_VALUE, "spi-in",
			      "neither spi-in nor spi-out was given; one direction is needed");
	if (t->spi_in && t->spi_out && t->in.key_size == t->out.key_size &&
	    t->in.auth_size == t->out.auth_size && !memcmp(&t->in, &t->out, sizeof t->in))
		return refuse(r, KEY_REUSE, "key-out",
			      "key-out equals key-in; each direction needs a key of its own");
	return 0;
}

static int read_addresses(struct conn *c, struct options *o, struct refusal *r)
{
	if (option_ip(o, "local", &c->local, r) || option_ip(o, "remote", &c->remote, r))
		return -EINVAL;
	if (!c->local.family || c->local.family != c->remote.family)
		return refuse(r, BAD_VALUE, c->local.family ? "remote" : "local",
			      "local= and remote= are both needed, of one family");
	return 0;
}

static int read_shape(struct iptfs *s, struct settings *t, struct options *o, struct refusal *r)
{
	static const char *const encaps[] = {"none", "udp", NULL};
	unsigned encap = 0;

	t->reorder = 3;
	t->size = 1400;
	s->rx.drop_ns = 20 * NSEC_PER_MSEC;
	s->tx.delay_ns = 500 * NSEC_PER_USEC;
	s->tx.fragment = true;
	if (option_word(o, "encap", encaps, &encap, r) ||
	    option_u64(o, "reorder", (struct range){0, REORDER_MAX}, &t->reorder, r) ||
	    option_time(o, "drop-timer", &s->rx.drop_ns, r) ||
	    option_u64(o, "size", (struct range){128, 3800}, &t->size, r) ||
	    option_time(o, "delay", &s->tx.delay_ns, r) ||
	    option_bool(o, "fragment", &s->tx.fragment, r) ||
	    option_bool(o, "pad", &s->tx.pad, r) ||
	    option_u64(o, "dscp", (struct range){0, 63}, &t->dscp, r))
		return -EINVAL;
	s->udp = encap == 1;
	return 0;
}

static int read_allow(struct conn *c, struct options *o, struct refusal *r)
{
	static const char *const actions[] = {"drop", "mark", NULL};
	const char *at = option(o, "allow");
	unsigned action = 0, n = 1;

	if (option_word(o, "allow-action", actions, &action, r))
		return -EINVAL;
	c->allow_mark = action == 1;
	if (!at)
		return 0;
	for (const char *k = at; *k; k++)
		n += *k == ',';
	c->allow = calloc(n, sizeof *c->allow);
	if (!c->allow)
		return refuse(r, SYSTEM, "allow", "no memory for %u prefixes", n);
	for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		char text[PREFIX_TEXT + 1];

		snprintf(text, sizeof text, "%.*s", (int)strcspn(at, ","), at);
		if (strcspn(at, ",") < sizeof text &&
		    ip_prefix_parse(text, &c->allow[c->n_allow])) {
			c->n_allow++;
			continue;
		}
		return refuse(r, BAD_VALUE, "allow",
			      "%s is no prefix; give them as 10.0.0.0/8,2001:db8::/32", text);
	}
	return 0;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static struct mark_key mark_key_of(const struct settings *t, const struct esp_keys *k, bool offline)
{
	return (struct mark_key){
		.key = k->key,
		.auth = k->auth,
		.key_size = k->key_size,
		.auth_size = k->auth_size,
		.counter = t->cipher->counter,
		.esn = t->esn,
		.lax = offline,
	};
}

static int open_rx(struct iptfs *s, const struct settings *t, bool offline, struct refusal *r)
{
	struct iptfs_rx *rx = &s->rx;
	struct mark_key key = mark_key_of(t, &t->in, offline);
	uint64_t top;

	rx->sa = (struct esp_sa){.cipher = t->cipher, .spi = (uint32_t)t->spi_in, .esn = t->esn};
	rx->timer.fire = iptfs_rx_timer;
	agg_rx_init(&rx->agg);
	if (esp_sa_open(&rx->sa, &t->in, ESP_OPEN, r) || mark_claim_receiver(&key, &rx->mark, r))
		return -EINVAL;
	/* An SA taken over, or this one before a restart: what came before is not accepted again,
	 * and seq-in, which a stored configuration repeats, does not make it new. */
	top = MAX(t->seq_in, rx->mark->seen);
	replay_init(&rx->replay, (uint32_t)t->replay, t->esn, top);
	reorder_init(&rx->order, (uint32_t)t->reorder, top);
	return 0;
}

static int open_tx(struct iptfs *s, const struct settings *t, bool offline, struct refusal *r)
{
	struct iptfs_tx *tx = &s->tx;
	struct mark_key key = mark_key_of(t, &t->out, offline);
	size_t around, payload;

	tx->sa = (struct esp_sa){.cipher = t->cipher, .spi = (uint32_t)t->spi_out, .esn = t->esn};
	tx->timer.fire = iptfs_tx_timer;
	if (esp_sa_open(&tx->sa, &t->out, ESP_SEAL, r))
		return -EINVAL;
	around = iptfs_tx_front(s) - AGG_HLEN - esp_front(&tx->sa);
	payload = esp_payload_max(&tx->sa, t->size - around);
	if (payload < AGG_HLEN + 40)
		return refuse(r, BAD_VALUE, "size",
			      "size=%u leaves no room for packets in an aggregate",
			      (unsigned)t->size);
	tx->agg.room = (uint32_t)(payload - AGG_HLEN);
	if (mark_claim_sender(&key, &tx->mark, r))
		return -EINVAL;
	tx->seq = tx->mark->used;
	return 0;
}

static void iptfs_close(struct conn *c)
{
	struct iptfs *s = c->state;

	if (s) {
		mark_release_receiver(s->rx.mark);
		mark_release_sender(s->tx.mark);
		esp_sa_close(&s->rx.sa);
		esp_sa_close(&s->tx.sa);
		OPENSSL_clear_free(s, sizeof *s);
	}
	free(c->allow);
	c->state = NULL;
	c->allow = NULL;
	c->n_allow = 0;
}

static void describe(struct conn *c, const struct iptfs *s, const struct settings *t)
{
	c->outer_dscp = (uint8_t)t->dscp;
	c->port.flags |= PORT_L3 | PORT_CONN;
	c->port.up = true;
	c->port.mtu = s->tx.sa.cipher && !s->tx.fragment ? s->tx.agg.room : 0;
	c->has_in = t->spi_in != 0;
	c->in_id = (struct conn_id){
		.local = c->local,
		.proto = s->udp ? 17 : 50,
		.udp_dst = s->udp ? htobe16(IPTFS_UDP_PORT) : 0,
		.id = htobe32((uint32_t)t->spi_in),
	};
}

static int iptfs_open(struct conn *c, struct options *o, struct refusal *r)
{
	struct settings t = {0};
	struct iptfs *s = OPENSSL_zalloc(sizeof *s); /* salts are in it */
	int error;

	if (!s)
		return refuse(r, SYSTEM, "", "no memory for a connection");
	c->state = s;
	s->conn = c;
	error = read_addresses(c, o, r);
	error = error ? error : read_security(&t, o, r);
	error = error ? error : read_shape(s, &t, o, r);
	error = error ? error : read_allow(c, o, r);
	if (!error && t.spi_in)
		error = open_rx(s, &t, o->offline, r);
	if (!error && t.spi_out)
		error = open_tx(s, &t, o->offline, r);
	if (error)
		iptfs_close(c);
	else
		describe(c, s, &t);
	OPENSSL_cleanse(&t, sizeof t);
	return error ? -EINVAL : 0;
}

static void iptfs_start(struct worker *w, struct conn *c)
{
	(void)w;
	(void)c; /* timers are set by packets */
}

static void iptfs_stop(struct worker *w, struct conn *c)
{
	iptfs_rx_stop(w, c->state);
	iptfs_tx_stop(w, c->state);
}

/* ---- Readings -------------------------------------------------------------------------------- */

static void status_counters(const struct iptfs_counters *n, struct report *r)
{
	const struct {
		const char *name;
		const uint64_t *value;
	} rows[] = {
		{"in_aggregates", &n->in_aggregates},
		{"in_octets", &n->in_octets},
		{"in_dus", &n->in_dus},
		{"in_fragmented", &n->in_fragmented},
		{"in_pads", &n->in_pads},
		{"in_lost", &n->in_lost},
		{"in_late", &n->in_late},
		{"in_ce", &n->in_ce},
		{"out_aggregates", &n->out_aggregates},
		{"out_octets", &n->out_octets},
		{"out_dus", &n->out_dus},
		{"out_fragmented", &n->out_fragmented},
		{"out_pad_octets", &n->out_pad_octets},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		r->number(r, rows[i].name, counter_read(rows[i].value));
	for (unsigned i = 0; i < N_DROPS; i++)
		if (counter_read(&n->trouble[i]))
			r->number(r, drop_reasons[i].name, counter_read(&n->trouble[i]));
}

static void iptfs_status(const struct conn *c, struct report *r)
{
	const struct iptfs *s = c->state;
	const struct esp_sa *sa = s->rx.sa.cipher ? &s->rx.sa : &s->tx.sa;

	r->string(r, "cipher", sa->cipher->name);
	r->string(r, "esn", sa->esn ? "yes" : "no");
	r->string(r, "encap", s->udp ? "udp" : "none");
	if (s->rx.sa.cipher) {
		r->number(r, "spi_in", s->rx.sa.spi);
		r->number(r, "seq_in", counter_read(&s->rx.mark->seen));
		r->number(r, "replay", s->rx.replay.size);
		r->number(r, "reorder", s->rx.order.window);
		r->number(r, "drop_timer_ns", s->rx.drop_ns);
	}
	if (s->tx.sa.cipher) {
		r->number(r, "spi_out", s->tx.sa.spi);
		r->number(r, "seq_out", counter_read(&s->tx.mark->used));
		if (mark_limit(s->tx.mark) != UINT64_MAX) /* a cipher that needs none */
			r->number(r, "seq_reserved", mark_limit(s->tx.mark));
		r->number(r, "delay_ns", s->tx.delay_ns);
		r->string(r, "fragment", s->tx.fragment ? "yes" : "no");
	}
	status_counters(&s->n, r);
}

/* An aggregate under construction and a data unit under reassembly are no packets yet: they hold
 * frames alone. */
static void iptfs_held(const struct conn *c, uint32_t *n_frames, uint32_t *n_packets)
{
	const struct iptfs *s = c->state;

	for (unsigned i = 0; i < s->rx.order.n; i++) {
		const struct pkt *p = s->rx.order.slot[i].pkt;

		if (!p)
			continue;
		(*n_packets)++;
		*n_frames +=
			1u + (p->outer_frame != FRAME_NONE && p->outer_frame != p->seg[0].frame);
	}
	*n_frames += s->rx.du ? s->rx.du->n_segs : 0;
	*n_frames += s->tx.p ? 1 : 0;
}

const struct encap_class encap_iptfs = {
	.name = "iptfs",
	.help = "local=IP remote=IP: outer addresses, of one family\n"
		"spi-in=N spi-out=N: 256 and above; either direction may be left out\n"
		"cipher=NAME: aes128gcm (default), aes256gcm, aes128gmac, aes256gmac, "
		"chacha20poly1305,"
		" null-sha256, aes128cbc-sha256\n"
		"key-in=HEX|@FILE key-out=…: the key, then its 4 octets of salt\n"
		"auth-key-in=… auth-key-out=…: for the ciphers with sha256\n"
		"encap=none|udp: ESP in UDP port 4500 (RFC 3948)\n"
		"esn=yes|no: 64-bit sequence numbers (yes)\n"
		"replay=N: anti-replay window, 64 to 4096 (64)\n"
		"seq-in=N: the sequence number last seen, for an SA taken over\n"
		"reorder=N: aggregates that a missing one is waited for, 0 to 64 (3)\n"
		"drop-timer=TIME: how long a missing one is waited for (20ms)\n"
		"size=N: octets of the outer IP packet at most, 128 to 3800 (1400)\n"
		"delay=TIME: how long a data unit waits for company (500us)\n"
		"fragment=yes|no: cut data units across aggregates (yes)\n"
		"pad=yes|no: every aggregate of the full size (no)\n"
		"dscp=N: of the outer packets (0)\n"
		"allow=PREFIXES: sources that the far end may send from, comma-separated\n"
		"allow-action=drop|mark: what happens to others (drop)",
	.identify = iptfs_identify,
	.keepalive = iptfs_keepalive,
	.collect = iptfs_collect,
	.open = iptfs_open,
	.close = iptfs_close,
	.start = iptfs_start,
	.stop = iptfs_stop,
	.pop = iptfs_pop,
	.push = iptfs_push,
	.flush = iptfs_flush,
	.status = iptfs_status,
	.held = iptfs_held,
};
