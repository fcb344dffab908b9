/* SPDX-License-Identifier: Apache-2.0 */
/* Every counter, as one value for programs, and the tables and stories that people read from it.
 *
 * The value's shape: `workers` (a list: packets, busy and idle time, frames by where they are),
 * `packets` (the balance: rx + made = tx + dropped + consumed + held, each but rx, tx and held
 * by name), `ports`, `conns` (lists of rows.h's rows), `sflow` (what was exported), and for reports
 * `rules`, `inputs`, `seconds`. Text is made from the value alone, so that both say the same. */
#ifndef SLUICE_CTL_STATS_H
#define SLUICE_CTL_STATS_H

#include "ctl/mgmt.h"

json_t *stats_collect(struct daemon *d);
void stats_text(const json_t *stats, struct buf *text);

/* Drop reasons: a list of {reason, packets, text}; `all`: those of none, too. */
json_t *drops_collect(struct daemon *d, bool all);
void drops_text(const json_t *drops, struct buf *text);

/* Every rule in force, the guard's first. */
json_t *rules_collect(struct daemon *d);

/* The report of an --offline run: stats_collect() with `rules`, `drops`, `file`, `seconds`. */
void report_text(const json_t *report, struct buf *text);

const char *drop_reason_name(unsigned reason); /* enum drop_reason: `no-frame` */
const char *drop_reason_text(unsigned reason); /* what it means, for people */

/* 1234567 as `1,234,567`; octets as `1.2 MB`; into one of a few static buffers in turn (control
 * thread). */
const char *text_count(uint64_t n);
const char *text_octets(uint64_t n);
const char *text_bits(uint64_t per_s); /* `1.2 Mb/s` */

static inline uint64_t json_u64(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static inline const char *json_str(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

#endif
