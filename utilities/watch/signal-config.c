/* SPDX-License-Identifier: Apache-2.0 */
/* The `signal` line of a pipeline. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "utilities/watch/detect.h"

static int parse_above(struct signal_config *s, const char *text, struct refusal *r)
{
	const char *comma = strchr(text, ',');
	char word[2][RATE_TEXT] = {"", ""};
	struct rate rate;

	snprintf(word[0], sizeof word[0], "%.*s",
		 (int)(comma ? MIN(comma - text, RATE_TEXT - 1) : RATE_TEXT - 1), text);
	if (comma)
		snprintf(word[1], sizeof word[1], "%s", comma + 1);
	s->above_pps = s->above_bps = 0;
	for (unsigned i = 0; i < (comma ? 2 : 1); i++) {
		if (parse_rate(word[i], &rate) || rate.n == 0 ||
		    (rate.packets ? s->above_pps : s->above_bps))
			return refuse(
				r, BAD_VALUE, "above",
				"option above: '%.40s' is not a rate; accepted: one of packets "
				"(2kpps), one of bits (10mbps), or both with a comma between",
				text);
		*(rate.packets ? &s->above_pps : &s->above_bps) = rate.n;
	}
	return 0;
}

static int parse_times(struct signal_config *s, const char *text, struct refusal *r)
{
	char *rest;
	double times = strtod(text, &rest);

	if (rest == text || *rest || !isfinite(times) || times < 1 || times > 1e6)
		return refuse(r, BAD_VALUE, "times",
			      "option times: '%.40s' is not a number from 1 to 1000000", text);
	s->times = times;
	return 0;
}

static int parse_of(struct signal_config *s, const char *text, struct refusal *r)
{
	unsigned n, m;
	int end = 0;

	if (sscanf(text, "%3u/%3u%n", &n, &m, &end) != 2 || text[end] || !n || n > m || m > 64)
		return refuse(r, BAD_VALUE, "of",
			      "option of: '%.40s' is not N/M with 1 <= N <= M <= 64, as 2/3", text);
	s->n = n;
	s->m = m;
	return 0;
}

static int check_times(const struct signal_config *s, struct refusal *r)
{
	if (s->window_ns < 250 * NSEC_PER_MSEC || s->window_ns > 3600 * NSEC_PER_SEC)
		return refuse(r, BAD_VALUE, "window",
			      "option window: windows are from 250ms to 1h, no shorter, no longer");
	if (s->clear_ns < s->window_ns)
		return refuse(r, BAD_VALUE, "clear",
			      "option clear: no shorter than a window, or every pause is an end");
	return 0;
}

int signal_parse(struct signal_config *s, struct options *words, struct refusal *r)
{
	const char *above, *times, *of;
	unsigned kind, target = TARGET_ADDRESS;
	int error;

	*s = (struct signal_config){.above_pps = 1000,
				    .times = 3,
				    .n = 2,
				    .m = 3,
				    .window_ns = 500 * NSEC_PER_MSEC,
				    .learn_ns = 3600 * NSEC_PER_SEC,
				    .clear_ns = 30 * NSEC_PER_SEC};
	if (!option(words, "kind"))
		return refuse(r, SYNTAX, "kind",
			      "a signal without kind=; accepted: syn, amplification, udp, icmp, "
			      "fragment, other");
	if ((error = option_word(words, "kind", attack_names, &kind, r)) ||
	    (error = option_word(words, "target", target_kinds, &target, r)) ||
	    (error = option_time(words, "window", &s->window_ns, r)) ||
	    (error = option_time(words, "learn", &s->learn_ns, r)) ||
	    (error = option_time(words, "clear", &s->clear_ns, r)))
		return error;
	s->kind = (uint8_t)kind;
	s->target = (uint8_t)target;
	above = option(words, "above");
	times = option(words, "times");
	of = option(words, "of");
	if ((above && (error = parse_above(s, above, r))) ||
	    (times && (error = parse_times(s, times, r))) || (of && (error = parse_of(s, of, r))))
		return error;
	return check_times(s, r);
}
