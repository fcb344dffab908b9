/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as text for people: tables for `stats` and `drops`, the story of an --offline run. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/limiters.h"
#include "ctl/rows.h"
#include "ctl/stats.h"

enum { TEXTS = 8, TEXT_SIZE = 32 };

static char *next_text(void)
{
	static char texts[TEXTS][TEXT_SIZE];
	static unsigned at;

	return texts[at++ % TEXTS];
}

const char *text_count(uint64_t n)
{
	char digits[24], *out = next_text();
	int size = snprintf(digits, sizeof digits, "%" PRIu64, n), o = 0;

	for (int i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}

/* Three digits and a unit. */
static const char *text_scaled(uint64_t n, const char *const unit[7])
{
	char *out = next_text();
	double v = (double)n;
	unsigned u = 0;

	while (v >= 999.5 && u + 1 < 7) {
		v /= 1000;
		u++;
	}
	snprintf(out, TEXT_SIZE, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return out;
}

const char *text_octets(uint64_t n)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

	return text_scaled(n, unit);
}

const char *text_bits(uint64_t per_s)
{
	static const char *const unit[] = {"b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s", "Pb/s", "Eb/s"};

	return text_scaled(per_s, unit);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- stats and drops ---- */

static void named_text(const json_t *names, const char *verb, struct buf *text)
{
	const char *name;
	json_t *n;

	json_object_foreach((json_t *)names, name, n)
	{
		if (json_integer_value(n))
			buf_printf(text, "  %14s  %s %s\n",
				   text_count((uint64_t)json_integer_value(n)), verb, name);
	}
}

static void balance_text(const json_t *packets, struct buf *text)
{
	buf_printf(text, "packets\n  %14s  received\n", text_count(json_u64(packets, "rx")));
	named_text(json_object_get(packets, "made"), "made:", text);
	buf_printf(text, "  %14s  sent\n", text_count(json_u64(packets, "tx")));
	named_text(json_object_get(packets, "dropped"), "dropped:", text);
	named_text(json_object_get(packets, "consumed"), "ended:", text);
	if (json_u64(packets, "held"))
		buf_printf(text, "  %14s  held\n", text_count(json_u64(packets, "held")));
}

void stats_text(const json_t *stats, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers"), i, row)
	{
		const json_t *frames = json_object_get(row, "frames");

		buf_printf(text,
			   "worker %" PRIu64
			   ": %s packets, busy %.3f s, idle %.3f s; frames: %" PRIu64
			   " free, %" PRIu64 " with devices, %" PRIu64 " held, of %" PRIu64 "\n",
			   json_u64(row, "worker"), text_count(json_u64(row, "packets")),
			   (double)json_u64(row, "busy_ns") / NSEC_PER_SEC,
			   (double)json_u64(row, "idle_ns") / NSEC_PER_SEC,
			   json_u64(frames, "free"), json_u64(frames, "devices"),
			   json_u64(frames, "held") + json_u64(frames, "handoff"),
			   json_u64(frames, "total"));
	}
	balance_text(json_object_get(stats, "packets"), text);
	json_array_foreach(json_object_get(stats, "ports"), i, row)
	{
		buf_printf(text, "port ");
		port_row_text(row, text);
	}
	json_array_foreach(json_object_get(stats, "conns"), i, row)
	{
		buf_printf(text, "connection ");
		port_row_text(row, text);
	}
	sflow_text(json_object_get(stats, "sflow"), text);
}

void drops_text(const json_t *drops, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(drops, i, row)
	{
		buf_printf(text, "%14s  %-20s %s\n", text_count(json_u64(row, "packets")),
			   json_str(row, "reason"), json_str(row, "text"));
	}
	if (!json_array_size(drops))
		buf_printf(text, "no packet was dropped\n");
}

/* ---- the story of an --offline run ---- */

static void story_ports(const json_t *report, const char *way, struct buf *text)
{
	bool in = way[0] == 'r';
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(report, "ports"), i, row)
	{
		const json_t *n = json_object_get(row, "counters");
		uint64_t packets = json_u64(n, in ? "rx_packets" : "tx_packets");

		if (!packets)
			continue;
		buf_printf(text, "  %14s packet%-1s %9s  %s %s\n", text_count(packets),
			   plural(packets), text_octets(json_u64(n, in ? "rx_bytes" : "tx_bytes")),
			   in ? "on port" : "by port", json_str(row, "name"));
	}
}

static void story_line(struct buf *text, uint64_t n, const char *what)
{
	if (n)
		buf_printf(text, "  %14s %s\n", text_count(n), what);
}

/* An encapsulation's own counter in words; NULL for one that says nothing new. */
static const char *in_words(const char *key)
{
	static const struct {
		const char *key, *words;
	} known[] = {
		{"in_aggregates", "aggregates taken apart"},
		{"in_fragmented", "packets that came in parts"},
		{"in_lost", "aggregates lost on their way"},
		{"in_late", "aggregates that came too late"},
		{"out_aggregates", "aggregates sent"},
		{"out_fragmented", "packets sent in parts"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(key, known[i].key))
			return known[i].words;
	return strncmp(key, "agg-", 4) && strncmp(key, "esp-", 4) ? NULL : key;
}

static void story_readings(const json_t *readings, struct buf *text)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)readings, key, value)
	{
		if (json_is_integer(value) && in_words(key))
			story_line(text, (uint64_t)json_integer_value(value), in_words(key));
	}
}

static void story_conns(const json_t *report, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(report, "conns"), i, row)
	{
		const json_t *n = json_object_get(row, "counters");

		buf_printf(text, "  %s (%s)\n", json_str(row, "name"), json_str(row, "type"));
		story_line(text, json_u64(n, "n_early"), "aggregates dropped before decryption");
		story_readings(json_object_get(row, "readings"), text);
		story_line(text, json_u64(n, "rx_packets"), "packets taken out of it");
		story_line(text, json_u64(n, "tx_packets"), "packets put into it");
	}
}

static void story_rules(const json_t *report, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(report, "rules"), i, row)
	{
		uint64_t packets = json_u64(row, "packets");

		buf_printf(text, "  %14s packet%-1s %9s  %s%s\n", text_count(packets),
			   plural(packets), text_octets(json_u64(row, "bytes")),
			   json_str(row, "flow"),
			   json_is_true(json_object_get(row, "early"))
				   ? "\n                                      ^ decided before "
				     "decryption"
				   : "");
	}
}

static void story_limits(const json_t *report, const char *kind, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(report, kind), i, row) limiter_row_text(row, text);
}

static uint64_t sum_of(const json_t *names)
{
	uint64_t sum = 0;
	const char *name;
	json_t *n;

	json_object_foreach((json_t *)names, name, n)
	{
		sum += (uint64_t)json_integer_value(n);
	}
	return sum;
}

/* rx + made = tx + dropped + consumed + held, said aloud. */
static void story_balance(const json_t *packets, struct buf *text)
{
	uint64_t rx = json_u64(packets, "rx"), made = sum_of(json_object_get(packets, "made"));
	uint64_t tx = json_u64(packets, "tx"), held = json_u64(packets, "held");
	uint64_t dropped = sum_of(json_object_get(packets, "dropped"));
	uint64_t consumed = sum_of(json_object_get(packets, "consumed"));
	bool even = rx + made == tx + dropped + consumed + held;

	buf_printf(text, "  %s received + %s made", text_count(rx), text_count(made));
	buf_printf(text, " %s %s sent + %s dropped + %s ended", even ? "=" : "IS NOT",
		   text_count(tx), text_count(dropped), text_count(consumed));
	buf_printf(text, " + %s held\n", text_count(held));
}

void report_text(const json_t *report, struct buf *text)
{
	const json_t *packets = json_object_get(report, "packets");
	const json_t *drops = json_object_get(report, "drops");

	buf_printf(text, "%s: %.3f s of traffic\n\nArrived\n", json_str(report, "file"),
		   json_real_value(json_object_get(report, "seconds")));
	story_ports(report, "rx", text);
	if (json_array_size(json_object_get(report, "conns"))) {
		buf_printf(text, "\nConnections\n");
		story_conns(report, text);
	}
	buf_printf(text, "\nRules\n");
	story_rules(report, text);
	story_limits(report, "limiters", text);
	story_limits(report, "connlimits", text);
	if (json_array_size(drops)) {
		buf_printf(text, "\nDropped, and why\n");
		drops_text(drops, text);
	}
	buf_printf(text, "\nSent\n");
	story_ports(report, "tx", text);
	buf_printf(text, "\nNothing is lost without a name\n");
	story_balance(packets, text);
}
