/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/limiters.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ctl/stats.h"
#include "ctl/verb.h"

/* The hottest first; at most `most`. */
struct hottest {
	struct keyed_state *state;
	unsigned n, most;
	uint64_t in_use;
};

static bool hotter(const struct keyed_state *a, const struct keyed_state *b)
{
	if (a->dropped != b->dropped)
		return a->dropped > b->dropped;
	if (a->count != b->count)
		return a->count > b->count;
	return a->owes != b->owes ? a->owes > b->owes : a->left < b->left;
}

static void insert(struct hottest *h, const struct keyed_state *s)
{
	unsigned at = h->n < h->most ? h->n++ : h->n;

	if (at == h->most && (!h->most || !hotter(s, &h->state[at - 1])))
		return;
	if (at == h->most)
		at--;
	for (; at && hotter(s, &h->state[at - 1]); at--)
		h->state[at] = h->state[at - 1];
	h->state[at] = *s;
}

static void look(const struct limiter *l, uint64_t now, struct hottest *h)
{
	const struct keyed_ask ask = {.now = now, .burst = l->burst_time};
	struct keyed_state s;

	for (uint32_t i = 0; i < keyed_slots(l->keys); i++) {
		if (!keyed_slot_state(l->keys, i, &ask, &s))
			continue;
		h->in_use += s.count || (l->rate && s.left < l->burst_time);
		if (h->most)
			insert(h, &s);
	}
}

/* `src=10.0.0.1,tcp_dst=80` as an object. */
static json_t *key_json(const struct limiter *l, const uint64_t *key)
{
	json_t *value = json_object();
	struct buf text = {0};
	char *save = NULL, *copy;

	keyed_key_format(&l->by, key, &text);
	copy = strdup(buf_text(&text));
	buf_free(&text);
	if (!copy)
		abort();
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(w, '=');

		*equals = '\0';
		json_put(value, w, json_text(equals + 1));
	}
	free(copy);
	return value;
}

static json_t *state_json(const struct limiter *l, const struct keyed_state *s, uint64_t now)
{
	json_t *row = json_object();
	double age = (double)(now - MIN(now, s->since)) / NSEC_PER_SEC;
	double left = (double)(s->left << l->keys->shift) * (double)l->rate / NSEC_PER_SEC;

	json_put(row, "key", key_json(l, s->key));
	json_put_u64(row, "dropped", s->dropped);
	json_put(row, "dropped_per_s", json_real((double)s->dropped / MAX(age, 1e-3)));
	json_put(row, "age_s", json_real(age));
	if (l->rate) {
		json_put_u64(row, "left", (uint64_t)MIN(left, (double)l->burst));
		json_put_u64(row, "burst", l->burst);
	}
	if (l->max_conns)
		json_put_u64(row, "connections", s->count);
	return row;
}

json_t *limiter_row(struct daemon *d, const struct limiter *l, unsigned most)
{
	json_t *row = json_object(), *list = json_array();
	uint64_t now = ofproto_now(d->ofproto);
	struct hottest h = {.most = most, .state = calloc(most + 1, sizeof *h.state)};
	struct limiter_counters n;
	struct buf words = {0};

	if (!h.state)
		abort();
	look(l, now, &h);
	ofproto_limiter_counters(d->ofproto, l, &n);
	limiter_words(l, &words);
	json_put(row, "kind", json_string(limiter_kinds[l->kind]));
	json_put(row, "name", json_text(l->name));
	json_put(row, "words", json_text(buf_text(&words)));
	buf_free(&words);
	json_put_u64(row, "rules", ofproto_limiter_rules(d->ofproto, l));
	json_put_u64(row, "keys", l->n_keys);
	json_put_u64(row, "octets", keyed_octets(l->keys) + (l->conns ? l->conns->size : 0));
	json_put_u64(row, "in_use", h.in_use);
	if (l->max_conns)
		json_put_u64(row, "connections", conns_n(l->conns));
	json_put_u64(row, "passed", n.passed);
	json_put_u64(row, "dropped", n.dropped);
	json_put_u64(row, "shared", n.shared);
	for (unsigned i = 0; i < h.n; i++)
		json_array_append_new(list, state_json(l, &h.state[i], now));
	free(h.state);
	if (most)
		json_put(row, "hottest", list);
	else
		json_decref(list);
	return row;
}

static void key_text(const json_t *key, struct buf *text)
{
	const char *name, *comma = "";
	json_t *value;

	json_object_foreach((json_t *)key, name, value)
	{
		buf_printf(text, "%s%s=%s", comma, name, json_string_value(value));
		comma = ",";
	}
}

void limiter_row_text(const json_t *row, struct buf *text)
{
	const json_t *state;
	size_t i;

	buf_printf(text, "%s %s: %s # rules=%" PRIu64 ", in_use=%" PRIu64, json_str(row, "kind"),
		   json_str(row, "name"), json_str(row, "words"), json_u64(row, "rules"),
		   json_u64(row, "in_use"));
	if (json_object_get(row, "connections"))
		buf_printf(text, ", connections=%" PRIu64, json_u64(row, "connections"));
	buf_printf(text, ", passed=%" PRIu64 ", dropped=%" PRIu64 ", shared=%" PRIu64 "\n",
		   json_u64(row, "passed"), json_u64(row, "dropped"), json_u64(row, "shared"));
	json_array_foreach(json_object_get(row, "hottest"), i, state)
	{
		buf_printf(text, "  ");
		key_text(json_object_get(state, "key"), text);
		buf_printf(text, " dropped=%" PRIu64 " (%.1f/s)", json_u64(state, "dropped"),
			   json_real_value(json_object_get(state, "dropped_per_s")));
		if (json_object_get(state, "burst"))
			buf_printf(text, " left=%" PRIu64 "/%" PRIu64, json_u64(state, "left"),
				   json_u64(state, "burst"));
		if (json_object_get(state, "connections"))
			buf_printf(text, " connections=%" PRIu64, json_u64(state, "connections"));
		buf_printf(text, "\n");
	}
}

struct collect {
	struct limiter_visit visit;
	struct daemon *daemon;
	json_t *list;
	unsigned most;
};

static int collect_one(struct limiter_visit *v, const struct limiter *l)
{
	struct collect *c = container_of(v, struct collect, visit);

	json_array_append_new(c->list, limiter_row(c->daemon, l, c->most));
	return 0;
}

json_t *limiters_collect(struct daemon *d, enum limiter_kind kind, unsigned most)
{
	struct collect c = {{collect_one}, d, json_array(), most};

	ofproto_limiters(d->ofproto, kind, &c.visit);
	return c.list;
}
