/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bundle.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"
#include "ofproto/journal.h"

struct commit {
	struct waiter waiter;    /* for what was before it, then for itself */
	struct commit *next;     /* of the large ones that wait */
	struct ofserver *server; /* NULL: has gone */
	struct ofconn *conn;
	struct bundle *bundle; /* NULL: it is staged */
	struct buf packets;    /* … but for its packet-outs */
	struct bundle_reply reply;
	bool large, ready; /* it waits for nothing but its turn */
};

static void next_large(struct ofserver *s);

/* ---- One commit -------------------------------------------------------------------------- */

static struct ofmsg message_at(const struct buf *messages, size_t at, enum ofmsg_part part)
{
	const uint8_t *octets = messages->data + at;
	struct ofmsg m = ofmsg_of(octets, get_be16(octets + offsetof(struct ofp_header, length)));

	m.part = part;
	return m;
}

/* A packet's port may have gone meanwhile: then so has the packet. */
static void send_packets(struct ofconn *c, const struct buf *packets)
{
	struct ofmsg m;

	for (size_t at = 0; at < packets->size; at += m.size) {
		struct refusal r;

		m = message_at(packets, at, OFMSG_IN_EFFECT);
		if (ofmsg_row(m.type)->handle(c, &m, &r))
			LOG(DEBUG, "openflow: a bundle's packet is lost: %s", r.text);
	}
}

static void drop_packets(struct commit *k)
{
	if (k->server)
		k->server->bundle_octets -= k->packets.size;
	buf_free(&k->packets);
	k->packets = (struct buf){0};
}

/* Answers, which nobody hears whose server has gone. */
static void commit_end(struct commit *k, const struct refusal *why)
{
	struct ofserver *s = k->server;
	struct ofconn *c = k->conn;

	if (!why && s)
		send_packets(c, &k->packets);
	drop_packets(k);
	if (why)
		ofconn_refuse(c, k->reply.octets, k->reply.size, why);
	else
		bundle_reply_send(c, &k->reply);
	c->n_waiters--;
	if (k->large)
		c->barrier = false;
	ofconn_go_on(c);
	ofconn_unref(c);
	if (k->large && s) {
		s->commits.now = NULL;
		next_large(s);
	}
	bundle_free(k->bundle);
	free(k);
}

static void commit_done(struct waiter *waiter, int error, const struct refusal *why)
{
	struct commit *k = container_of(waiter, struct commit, waiter);
	struct refusal r;

	if (error)
		refuse(&r, BUNDLE_FAILED, "bundle_id", "bundle %u: %.200s", k->reply.id, why->text);
	commit_end(k, error ? &r : NULL);
}

/* All of them, up to the first that is refused, which is told so; packets are kept for later. */
static int stage(struct ofconn *c, const struct bundle *b, struct buf *packets, struct refusal *r)
{
	struct ofmsg m;

	for (size_t at = 0; at < b->messages.size; at += m.size) {
		struct refusal why = {0};

		m = message_at(&b->messages, at, OFMSG_STAGED);
		if (ofmsg_row(m.type)->handle(c, &m, &why)) {
			ofconn_refuse(c, m.octets, m.size, &why);
			return refuse(r, BUNDLE_FAILED, "bundle_id",
				      "bundle %u: the message with xid 0x%x is refused, and all "
				      "others with it: %.160s",
				      b->id, m.xid, why.text);
		}
		if (m.type == OFPT_PACKET_OUT)
			buf_octets(packets, m.octets, m.size);
	}
	return 0;
}

/* One version of the tables, one entry of the journal. */
static void commit(struct commit *k)
{
	struct ofproto *o = k->server->ofproto;
	char what[64];
	const struct actor actor = {
		.origin = ORIGIN_CONTROLLER, .who = k->conn->remote, .what = what};
	struct refusal r;
	int error;

	snprintf(what, sizeof what, "a bundle of %u messages", k->bundle->n);
	k->ready = false;
	k->waiter.done = commit_done;
	ofproto_actor(o, &actor);
	ofproto_begin(o);
	error = stage(k->conn, k->bundle, &k->packets, &r);
	k->server->bundle_octets += k->packets.size;
	if (error) {
		ofproto_abandon(o);
		ofproto_actor(o, NULL);
		commit_end(k, &r);
		return;
	}
	bundle_free(k->bundle);
	k->bundle = NULL;
	ofproto_commit(o, &k->waiter); /* it may be gone behind this */
	ofproto_actor(o, NULL);
}

/* ---- Large ones -------------------------------------------------------------------------- */

static void on_turn(void *arg)
{
	struct commits *all = &((struct ofserver *)arg)->commits;

	if (!all->now || !all->now->ready || !turn_goes_on(&all->turn))
		return;
	commit(all->now);
	turn_end(&all->turn);
}

/* What was asked for before it is in effect, or has failed. */
static void before_done(struct waiter *waiter, int error, const struct refusal *r)
{
	struct commit *k = container_of(waiter, struct commit, waiter);

	(void)error, (void)r;
	k->ready = true;
	if (!k->server)
		commit_end(k, NULL);
	else if (!turn_waits(&k->server->commits.turn))
		turn_later(&k->server->commits.turn); /* others are being answered as well */
}

static void next_large(struct ofserver *s)
{
	struct commits *all = &s->commits;
	struct commit *k = all->first;

	if (!k || all->now)
		return;
	all->first = k->next;
	all->now = k;
	k->waiter.done = before_done;
	ofproto_actor(s->ofproto, NULL); /* to wait is no change */
	ofproto_barrier(s->ofproto, &k->waiter);
}

static void queue(struct ofserver *s, struct commit *k)
{
	struct commit **last = &s->commits.first;

	if (!s->commits.turn.all)
		turn_init(&s->commits.turn, &s->turns, s->base, on_turn, s);
	while (*last)
		last = &(*last)->next;
	*last = k;
	next_large(s);
}

void bundle_commit(struct ofconn *c, struct bundle *b, const struct bundle_reply *reply)
{
	struct commit *k = calloc(1, sizeof *k);

	if (!k)
		abort();
	k->server = c->server;
	k->conn = c;
	k->bundle = b;
	k->reply = *reply;
	k->large = b->n > BUNDLE_SMALL;
	ofconn_ref(c);
	c->n_waiters++;
	if (k->large) {
		c->barrier = true;
		queue(c->server, k);
	} else {
		commit(k);
	}
}

static void forget(struct commit *k)
{
	bundle_free(k->bundle);
	drop_packets(k);
	k->bundle = NULL;
	k->server = NULL;
}

void commits_end(struct ofserver *s)
{
	struct commits *all = &s->commits;
	struct commit *k = all->now, *next;
	bool asleep = k && k->ready; /* nobody else knows of it */

	if (k)
		forget(k); /* and tells nobody, when it is called */
	if (asleep)
		commit_end(k, NULL);
	for (k = all->first; k; k = next) {
		next = k->next;
		forget(k);
		commit_end(k, NULL);
	}
	if (all->turn.all)
		turn_free(&all->turn);
	*all = (struct commits){0};
}
