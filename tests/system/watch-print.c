/* SPDX-License-Identifier: Apache-2.0 */
/* Prints each sample that comes in by the watcher's inputs, a line each, until it is told to end:
 *
 *	watch-print [--json FILE|-] [--sflow [IP:]PORT] [--unix PATH]...
 *
 * SOURCE DESTINATION PROTOCOL PORT PORT FLAGS PACKETS OCTETS.  Counters at the end, to stderr. */
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/refuse.h"
#include "utilities/watch/input.h"

static void print(struct sample_sink *sink, const struct watch_sample *s)
{
	const struct du_key *k = &s->key.du;
	bool v6 = be16toh(k->eth_type) == 0x86dd;
	struct ip src = {.family = v6 ? 6 : 4}, dst = src;
	char text[2][IP_TEXT];

	(void)sink;
	memcpy(src.octet, k->ip_src, sizeof src.octet);
	memcpy(dst.octet, k->ip_dst, sizeof dst.octet);
	printf("%s %s %u %u %u 0x%x %" PRIu64 " %" PRIu64 "\n", ip_text(&src, text[0]),
	       ip_text(&dst, text[1]), k->ip_proto, be16toh(k->tp_src), be16toh(k->tp_dst),
	       be16toh(k->tcp_flags), s->packets, s->octets);
}

static void end(evutil_socket_t signal, short what, void *arg)
{
	(void)signal, (void)what;
	event_base_loopbreak(arg);
}

static int open_input(struct inputs *in, const char *option, const char *value, struct refusal *r)
{
	if (!strcmp(option, "--json"))
		return input_json(in, value, r);
	if (!strcmp(option, "--sflow"))
		return input_udp(in, value, r);
	if (!strcmp(option, "--unix"))
		return input_unix(in, value, r);
	return refuse(r, UNKNOWN_WORD, option, "%s: --json, --sflow or --unix", option);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct sample_sink sink = {print};
	struct inputs *in = inputs_create(base, &sink);
	struct event *term = evsignal_new(base, SIGTERM, end, base);
	struct input_counters n;
	struct refusal r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	event_add(term, NULL);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!open_input(in, argv[i], argv[i + 1], &r))
			continue;
		fprintf(stderr, "%s\n", r.text);
		return 1;
	}
	fprintf(stderr, "ready\n");
	event_base_dispatch(base);
	inputs_counters(in, &n);
	fprintf(stderr,
		"samples=%" PRIu64 " records=%" PRIu64 " malformed=%" PRIu64 " ignored=%" PRIu64
		" errors=%" PRIu64 "\n",
		n.sflow.samples, n.json.records, n.sflow.malformed + n.json.malformed,
		n.sflow.ignored + n.json.ignored, n.errors);
	inputs_free(in);
	event_free(term);
	event_base_free(base);
	return 0;
}
