/* SPDX-License-Identifier: Apache-2.0 */
/* Meters as text, ovs-ofctl's way, and what a meter can be. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/openflow.h"
#include "lib/options.h"
#include "ofproto/memory.h"
#include "ofproto/meters.h"

static const struct {
	const char *word;
	uint16_t flag;
} flags[] = {
	{"kbps", OFPMF_KBPS},
	{"pktps", OFPMF_PKTPS},
	{"burst", OFPMF_BURST},
	{"stats", OFPMF_STATS},
	{"aggregate", SLUICE_METER_AGGREGATE},
};

enum {
	FLAGS_KNOWN = OFPMF_KBPS | OFPMF_PKTPS | OFPMF_BURST | OFPMF_STATS | SLUICE_METER_AGGREGATE
};

/* ---- What a meter can be ---------------------------------------------------------------- */

static int check_burst(const struct meter_config *m, const struct meter_band_config *b,
		       struct refusal *r)
{
	if (!(m->flags & OFPMF_BURST) || b->burst / BUCKET_BURST_S < b->rate)
		return 0;
	return refuse(r, METER_BURST, "burst_size",
		      "burst_size=%" PRIu32 "; less than %d seconds' worth of the rate %" PRIu32
		      " would be accepted",
		      b->burst, BUCKET_BURST_S, b->rate);
}

static int check_band(const struct meter_config *m, const struct meter_band_config *b,
		      struct refusal *r)
{
	if (b->type != OFPMBT_DROP && b->type != OFPMBT_DSCP_REMARK)
		return refuse(r, METER_BAND, "type",
			      "a band of type %u; drop (1) and dscp_remark (2) would be accepted",
			      b->type);
	if (m->flags & SLUICE_METER_AGGREGATE && b->type != OFPMBT_DROP)
		return refuse(r, METER_BAND, "type",
			      "an aggregate meter drops before decryption: no band but drop "
			      "would be accepted");
	if (!b->rate)
		return refuse(r, METER_RATE, "rate",
			      "a band without a rate; rate=1 and up would be accepted");
	if (b->type == OFPMBT_DSCP_REMARK && (!b->prec_level || b->prec_level > METER_PREC_MAX))
		return refuse(r, METER_BAND_VALUE, "prec_level",
			      "prec_level=%u; 1 to %d more drop precedences would be accepted",
			      b->prec_level, METER_PREC_MAX);
	return check_burst(m, b, r);
}

int meter_check(const struct meter_config *m, struct refusal *r)
{
	int error = 0;

	if (!m->number || m->number > OFPM_MAX)
		return refuse(r, INVALID_METER, "meter",
			      "meter 0x%" PRIx32 " cannot be made (slow path and controller have "
			      "no meters here); 1 to 0x%x would be accepted",
			      m->number, OFPM_MAX);
	if (m->flags & ~FLAGS_KNOWN)
		return refuse(r, METER_FLAGS, "flags", "meter flags 0x%x; 0x%x are known", m->flags,
			      FLAGS_KNOWN);
	if (m->flags & OFPMF_KBPS && m->flags & OFPMF_PKTPS)
		return refuse(r, METER_FLAGS, "flags",
			      "a meter counts kbps or pktps; one of them would be accepted");
	for (unsigned i = 0; i < m->n_bands && !error; i++)
		error = check_band(m, &m->band[i], r);
	return error;
}

/* ---- Reading ---------------------------------------------------------------------------- */

static int number(const char *key, const char *value, uint64_t max, uint64_t *n, struct refusal *r)
{
	if (value && !parse_u64(value, n) && *n <= max)
		return 0;
	return refuse(r, BAD_VALUE, key, "%s=%.32s; a number up to %" PRIu64 " is expected", key,
		      value ? value : "", max);
}

/* What is said twice was meant once, and differently. */
static int once(const char *key, bool before, struct refusal *r)
{
	return before ? refuse(r, SYNTAX, key, "%s is given twice", key) : 0;
}

static int band_begin(struct meter_config *m, const char *type, struct refusal *r)
{
	bool drop = type && !strcmp(type, "drop");

	if (!drop && (!type || strcmp(type, "dscp_remark")))
		return refuse(r, METER_BAND, "type",
			      "type=%.32s; drop and dscp_remark would be accepted",
			      type ? type : "");
	if (m->n_bands == METER_BANDS)
		return refuse(r, OUT_OF_BANDS, "bands",
			      "more bands than the %d that a meter can have", METER_BANDS);
	m->band[m->n_bands++].type = drop ? OFPMBT_DROP : OFPMBT_DSCP_REMARK;
	return 0;
}

static int band_word(struct meter_config *m, const char *key, const char *value, struct refusal *r)
{
	struct meter_band_config *b = &m->band[m->n_bands - 1];
	uint64_t n = 0;
	int error;

	if (!strcmp(key, "rate")) {
		error = once(key, b->rate, r) ? -EINVAL : number(key, value, UINT32_MAX, &n, r);
		b->rate = (uint32_t)n;
	} else if (!strcmp(key, "burst_size")) {
		error = once(key, b->burst, r) ? -EINVAL : number(key, value, UINT32_MAX, &n, r);
		b->burst = (uint32_t)n;
	} else if (!strcmp(key, "prec_level")) {
		error = once(key, b->prec_level, r) ? -EINVAL
						    : number(key, value, UINT8_MAX, &n, r);
		b->prec_level = (uint8_t)n;
	} else {
		error = refuse(r, UNKNOWN_WORD, key,
			       "unknown word %.32s in a band; type, rate, burst_size and "
			       "prec_level are known",
			       key);
	}
	return error;
}

static int head_word(struct meter_config *m, const char *key, const char *value, struct refusal *r)
{
	static const char *const known[] = {"meter", "kbps",      "pktps", "burst",
					    "stats", "aggregate", "bands", NULL};
	const char *near;
	uint64_t n = 0;
	int error;

	if (!strcmp(key, "meter")) {
		if (once(key, m->number, r))
			return -EINVAL;
		if (value && !strcmp(value, "controller"))
			n = OFPM_CONTROLLER;
		else if (value && !strcmp(value, "slowpath"))
			n = OFPM_SLOWPATH;
		else if ((error = number(key, value, UINT32_MAX, &n, r)))
			return error;
		m->number = (uint32_t)n;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(key, flags[i].word) && !value) {
			m->flags |= flags[i].flag;
			return 0;
		}
	near = did_you_mean(key, known);
	return refuse(r, UNKNOWN_WORD, key, "unknown word %.32s in a meter%s%s%s", key,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* One word KEY or KEY=VALUE; bands=type=drop begins the bands, type=… each further one. */
static int read_word(struct meter_config *m, char *word, bool *bands, struct refusal *r)
{
	char *value;

	if (!strncmp(word, "bands=", 6) || !strncmp(word, "band=", 5)) {
		*bands = true;
		word = strchr(word, '=') + 1;
		if (!*word)
			return 0;
	}
	value = strchr(word, '=');
	if (value)
		*value++ = '\0';
	if (!*bands)
		return head_word(m, word, value, r);
	if (!strcmp(word, "type"))
		return band_begin(m, value, r);
	if (!m->n_bands)
		return refuse(r, SYNTAX, "bands",
			      "%.32s before a band's type; bands=type=drop,rate=… is expected",
			      word);
	return band_word(m, word, value, r);
}

int meter_parse(const char *text, struct meter_config *m, struct refusal *r)
{
	char *copy = mem_text(text), *save = NULL;
	bool bands = false;
	int error = 0;

	*m = (struct meter_config){0};
	for (char *w = strtok_r(copy, ", \t\r\n", &save); w && !error;
	     w = strtok_r(NULL, ", \t\r\n", &save))
		error = read_word(m, w, &bands, r);
	free(copy);
	if (!error && !m->number)
		error = refuse(r, INVALID_METER, "meter",
			       "meter=N is missing; 1 to 0x%x would be accepted", OFPM_MAX);
	return error;
}

int meter_parse_which(const char *text, uint32_t *which, struct refusal *r)
{
	const char *value = !strncmp(text, "meter=", 6) ? text + 6 : text;
	uint64_t n = OFPM_ALL;
	int error = 0;

	if (*value && strcmp(value, "all"))
		error = number("meter", value, UINT32_MAX, &n, r);
	*which = (uint32_t)n;
	return error;
}

/* ---- Writing ---------------------------------------------------------------------------- */

void meter_format(const struct meter_config *m, struct buf *text)
{
	buf_printf(text, "meter=%" PRIu32, m->number);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (m->flags & flags[i].flag)
			buf_printf(text, ",%s", flags[i].word);
	for (unsigned i = 0; i < m->n_bands; i++) {
		const struct meter_band_config *b = &m->band[i];

		buf_printf(text, ",%stype=%s,rate=%" PRIu32,
			   i ? "" : "bands=", b->type == OFPMBT_DROP ? "drop" : "dscp_remark",
			   b->rate);
		if (b->burst)
			buf_printf(text, ",burst_size=%" PRIu32, b->burst);
		if (b->type == OFPMBT_DSCP_REMARK)
			buf_printf(text, ",prec_level=%u", b->prec_level);
	}
}
