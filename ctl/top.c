/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/stats.h"
#include "ctl/verb.h"
#include "datapath/field-family.h"
#include "ofproto/samples.h"

enum { CELL = 1 + FIELD_SIZE_MAX };

/* One of the names in `by`: the first of its fields that a packet has gives the value. */
struct column {
	char name[40];
	const struct field *form[FIELD_FORMS]; /* NULL: no more */
	uint8_t mask[FIELD_SIZE_MAX];          /* of form[0]; several forms have none */
	bool masked;
};

/* A snapshot as it is grouped: for each column which form (from 1; 0: none) and its value. */
struct item {
	uint8_t cell[TOP_COLUMNS][CELL];
	double packets, bits; /* a second */
	uint32_t n;
	uint8_t reason;
	bool dropped;
};

/* What a worker's snapshots reach back to. */
struct span {
	uint64_t n, oldest_ns, ns;
};

struct row {
	const struct item *first;
	double packets, bits, dropped;
	double reason[N_DROPS];
	uint32_t n;
};

struct top {
	struct snapshot_visit visit;
	struct daemon *daemon;
	struct column column[TOP_COLUMNS];
	unsigned n_columns;
	uint64_t now, since_ns;
	struct span *span; /* by worker */
	struct item *item;
	size_t n_items, room;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return memcmp(x->cell, y->cell, sizeof x->cell);
}

/* ---- What is asked for ---- */

/* The first `length` bits of the field. */
static int set_prefix(struct column *c, const char *text, struct refusal *r)
{
	const struct field *f = c->form[0];
	uint64_t length = 0;

	if (c->form[1] || f->mask == MASK_NONE)
		return refuse(r, BAD_MASK, c->name, "%s cannot have a prefix length", c->name);
	if (parse_u64(text, &length) || !length || length > f->bits)
		return refuse(r, BAD_MASK, c->name, "%s/%.20s is no prefix length; 1 to %u are",
			      c->name, text, f->bits);
	field_prefix(f, (unsigned)length, c->mask);
	c->masked = true;
	return 0;
}

static int find_field(struct column *c, struct refusal *r)
{
	const char *near;

	if (field_forms(c->name, c->form))
		return 0;
	near = field_near(c->name);
	return refuse(r, UNKNOWN_WORD, "--by", "there is no field %s%s%s%s", c->name,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int parse_column(struct column *c, const char *word, size_t size, struct refusal *r)
{
	char *slash;

	if (!size || size >= sizeof c->name)
		return refuse(r, SYNTAX, "--by",
			      "--by wants names of fields with commas between, as "
			      "dst,udp_src or ipv4_dst/24");
	memcpy(c->name, word, size);
	slash = strchr(c->name, '/');
	if (slash)
		*slash = '\0';
	if (find_field(c, r) || (slash && set_prefix(c, slash + 1, r)))
		return -EINVAL;
	if (slash)
		*slash = '/';
	return 0;
}

static int parse_columns(struct top *t, const char *by, struct refusal *r)
{
	for (;; by++) {
		size_t size = strcspn(by, ",");

		if (t->n_columns == TOP_COLUMNS)
			return refuse(r, LIMIT, "--by", "at most %d fields at once", TOP_COLUMNS);
		if (parse_column(&t->column[t->n_columns++], by, size, r))
			return -EINVAL;
		by += size;
		if (!*by)
			return 0;
	}
}

/* ---- Counting ---- */

static int measure(struct snapshot_visit *v, unsigned worker, const struct sample_record *s)
{
	struct span *span = &container_of(v, struct top, visit)->span[worker];

	if (!span->n++ || s->ns < span->oldest_ns)
		span->oldest_ns = s->ns;
	return 0;
}

/* All of the span, unless the snapshots do not reach so far, or the daemon did not run then. */
static void measure_all(struct top *t)
{
	unsigned n = ofproto_datapath(t->daemon->ofproto)->n_workers;
	uint64_t begin = MAX(t->since_ns, t->daemon->started_ns);

	t->visit.snapshot = measure;
	ofproto_snapshots(t->daemon->ofproto, 0, &t->visit);
	for (unsigned i = 0; i < n; i++) {
		struct span *s = &t->span[i];
		uint64_t from = s->n >= SNAPSHOTS ? MAX(begin, s->oldest_ns) : begin;

		s->ns = MAX(t->now > from ? t->now - from : 0, NSEC_PER_MSEC);
	}
}

static void cut_cells(const struct top *t, const struct match *packet, struct item *i)
{
	memset(i->cell, 0, sizeof i->cell);
	for (unsigned c = 0; c < t->n_columns; c++) {
		const struct column *col = &t->column[c];
		unsigned k = 0;

		while (k < FIELD_FORMS && col->form[k] && !match_meets(packet, col->form[k]))
			k++;
		if (k == FIELD_FORMS || !col->form[k])
			continue;
		i->cell[c][0] = (uint8_t)(k + 1);
		memcpy(i->cell[c] + 1, field_in(&packet->value, col->form[k]), col->form[k]->size);
		for (unsigned b = 0; col->masked && b < FIELD_SIZE_MAX; b++)
			i->cell[c][1 + b] &= col->mask[b];
	}
}

static int take(struct snapshot_visit *v, unsigned worker, const struct sample_record *s)
{
	struct top *t = container_of(v, struct top, visit);
	struct match packet = {.value = s->key};
	struct item *i;

	if (s->flags & SAMPLE_BY_RULE)
		return 0;
	if (t->n_items == t->room) {
		t->room = t->room ? 2 * t->room : 1024;
		t->item = realloc(t->item, t->room * sizeof *t->item);
		if (!t->item)
			abort();
	}
	i = &t->item[t->n_items++];
	memset(&packet.mask, 0xff, sizeof packet.mask);
	cut_cells(t, &packet, i);
	i->packets = (double)s->every * NSEC_PER_SEC / (double)t->span[worker].ns;
	i->bits = i->packets * 8 * s->length;
	i->dropped = s->end == SAMPLE_DROPPED;
	i->reason = s->reason;
	return 0;
}

static int by_packets(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->packets < y->packets) - (x->packets > y->packets);
}

/* Equal items stand side by side: one row each, the largest first. */
static struct row *make_rows(struct top *t, size_t *n_rows)
{
	struct row *rows = NULL, *row = NULL;
	size_t n = 0, room = 0;

	if (t->n_items)
		qsort(t->item, t->n_items, sizeof *t->item, compare_items);
	for (size_t k = 0; k < t->n_items; k++) {
		const struct item *i = &t->item[k];

		if (!row || compare_items(row->first, i)) {
			if (n == room) {
				room = room ? 2 * room : 64;
				rows = realloc(rows, room * sizeof *rows);
				if (!rows)
					abort();
			}
			row = &rows[n++];
			*row = (struct row){.first = i};
		}
		row->packets += i->packets;
		row->bits += i->bits;
		row->n++;
		if (i->dropped && i->reason < N_DROPS) {
			row->dropped += i->packets;
			row->reason[i->reason] += i->packets;
		}
	}
	if (n)
		qsort(rows, n, sizeof *rows, by_packets);
	*n_rows = n;
	return rows;
}

/* ---- The value ---- */

static json_t *values_json(const struct top *t, const struct item *i)
{
	json_t *values = json_object();

	for (unsigned c = 0; c < t->n_columns; c++) {
		const struct column *col = &t->column[c];
		struct buf text = {0};

		if (i->cell[c][0])
			field_format(col->form[i->cell[c][0] - 1], i->cell[c] + 1,
				     col->masked ? col->mask : NULL, &text);
		else
			buf_printf(&text, "-");
		json_put(values, col->name, json_text(buf_text(&text)));
		buf_free(&text);
	}
	return values;
}

static json_t *row_json(const struct top *t, const struct row *row, double all)
{
	json_t *value = json_object();
	unsigned main = 0;

	for (unsigned i = 1; i < N_DROPS; i++)
		if (row->reason[i] > row->reason[main])
			main = i;
	json_put(value, "packets_per_s", json_real(row->packets));
	json_put(value, "bits_per_s", json_real(row->bits));
	json_put(value, "share", json_real(all > 0 ? row->packets / all : 0));
	json_put_u64(value, "samples", row->n);
	json_put(value, "dropped", json_real(row->packets > 0 ? row->dropped / row->packets : 0));
	if (row->dropped > 0)
		json_put(value, "reason", json_string(drop_reasons[main].name));
	json_put(value, "values", values_json(t, row->first));
	return value;
}

static json_t *top_json(struct top *t, uint64_t seconds, uint64_t most)
{
	json_t *value = json_object(), *list = json_array();
	double packets = 0, bits = 0;
	size_t n;
	struct row *rows = make_rows(t, &n);

	for (size_t i = 0; i < n; i++) {
		packets += rows[i].packets;
		bits += rows[i].bits;
	}
	for (size_t i = 0; i < n && i < most; i++)
		json_array_append_new(list, row_json(t, &rows[i], packets));
	free(rows);
	json_put_u64(value, "seconds", seconds);
	json_put_u64(value, "samples", t->n_items);
	json_put(value, "packets_per_s", json_real(packets));
	json_put(value, "bits_per_s", json_real(bits));
	json_put_u64(value, "n_rows", n);
	json_put(value, "rows", list);
	return value;
}

json_t *top_collect(struct daemon *d, const char *by, uint64_t seconds, uint64_t n_rows,
		    struct refusal *r)
{
	struct top t = {.daemon = d, .now = ofproto_now(d->ofproto)};
	json_t *value;

	if (parse_columns(&t, by, r))
		return NULL;
	t.since_ns = t.now > seconds * NSEC_PER_SEC ? t.now - seconds * NSEC_PER_SEC : 0;
	t.span = calloc(ofproto_datapath(d->ofproto)->n_workers, sizeof *t.span);
	if (!t.span)
		abort();
	measure_all(&t);
	t.visit.snapshot = take;
	ofproto_snapshots(d->ofproto, t.since_ns, &t.visit);
	value = top_json(&t, seconds, n_rows);
	free(t.item);
	free(t.span);
	return value;
}

/* ---- Text ---- */

static double real(const json_t *object, const char *key)
{
	return json_real_value(json_object_get(object, key));
}

/* 1234567 bits as `1.23 Mbit`. */
static const char *bits_text(double bits, char text[32])
{
	static const char *const unit[] = {"bit", "kbit", "Mbit", "Gbit", "Tbit"};
	unsigned u = 0;

	while (bits >= 999.5 && u + 1 < ARRAY_SIZE(unit)) {
		bits /= 1000;
		u++;
	}
	snprintf(text, 32, "%.*f %s", u && bits < 99.95 ? 1 : 0, bits, unit[u]);
	return text;
}

static void row_text(const json_t *row, struct buf *text)
{
	const char *name, *reason = json_str(row, "reason");
	char bits[32], dropped[64] = "";
	json_t *v;

	if (*reason)
		snprintf(dropped, sizeof dropped, "%.0f%% %s", 100 * real(row, "dropped"), reason);
	buf_printf(text, "%13s %11s %6.1f%%  %-22s",
		   text_count((uint64_t)(real(row, "packets_per_s") + 0.5)),
		   bits_text(real(row, "bits_per_s"), bits), 100 * real(row, "share"), dropped);
	json_object_foreach(json_object_get(row, "values"), name, v)
	{
		buf_printf(text, " %s=%s", name, json_string_value(v));
	}
	buf_printf(text, "\n");
}

void top_text(const json_t *value, struct buf *text)
{
	const json_t *rows = json_object_get(value, "rows");
	uint64_t n = json_u64(value, "n_rows"), samples = json_u64(value, "samples");
	char bits[32];
	json_t *row;
	size_t i;

	buf_printf(text, "the last %" PRIu64 " s: %s packets/s, %s/s, from %s sample%s\n",
		   json_u64(value, "seconds"),
		   text_count((uint64_t)(real(value, "packets_per_s") + 0.5)),
		   bits_text(real(value, "bits_per_s"), bits), text_count(samples),
		   samples == 1 ? "" : "s");
	if (!n)
		return;
	buf_printf(text, "%13s %11s %7s  %-22s\n", "packets/s", "bits/s", "share", "dropped");
	json_array_foreach(rows, i, row)
	{
		row_text(row, text);
	}
	if (n > json_array_size(rows))
		buf_printf(text, "and %s more\n", text_count(n - json_array_size(rows)));
}
