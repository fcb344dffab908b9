/* SPDX-License-Identifier: Apache-2.0 */
/* Live inputs of the watcher: sockets and files on one libevent base, samples into one sink.
 *
 *	struct inputs *in = inputs_create(base, watch_sink(w));
 *	input_unix(in, "/run/sluice/samples.sock", &refusal);
 *	input_udp(in, "6343", &refusal);
 *	input_json(in, "/run/sluice/flows", &refusal);
 *	event_base_dispatch(base);
 *	inputs_free(in);
 *
 * Each input reads what has come, a bounded piece each time the loop comes round, so none of them
 * holds up the loop however much is sent.  Samples carry the monotonic time of their reading.  What
 * is not understood is counted, and never ends an input.  Single thread: the base's.  The base and
 * the sink are the caller's and outlive the inputs. */
#ifndef SLUICE_WATCH_INPUT_H
#define SLUICE_WATCH_INPUT_H

#include "utilities/watch/sample.h"

struct event_base;
struct refusal;

enum {
	INPUT_MAX = 16,                 /* inputs of one watcher */
	INPUT_LINE_MAX = 16384,         /* octets of a line of JSON; a longer one is malformed */
	INPUT_RECEIVE_BUFFER = 4 << 20, /* asked of the kernel for each socket */
};

struct inputs;
struct inputs *inputs_create(struct event_base *base, struct sample_sink *to); /* never NULL */
void inputs_free(struct inputs *in); /* takes samples.sock away again; NULL: nothing */

/* sFlow over unix datagrams, from the sluiced of this host.  A socket that nobody reads any more
 * is replaced; one that somebody reads is refused (in-use).  It belongs to whom its folder belongs
 * to (mode 0600), or to its folder's group (0660), so sluiced may write to it. */
int input_unix(struct inputs *in, const char *path, struct refusal *r);

/* sFlow over UDP: `PORT` (all addresses of the host), `IP:PORT`, `[IP]:PORT`.  Port 0: any, to be
 * asked for by input_udp_port(). */
int input_udp(struct inputs *in, const char *where, struct refusal *r);
uint16_t input_udp_port(const struct inputs *in); /* of the last input_udp(); 0: none */

/* Lines of pmacct's JSON: `-` is the standard input, up to its end; a FIFO (whose writers may come
 * and go) must exist; a file is followed as it grows, and anew from its beginning when it is
 * written anew.  What a file holds already when this is called is past, and passed over. */
int input_json(struct inputs *in, const char *file, struct refusal *r);

struct input_counters {
	struct read_counters sflow, json;
	uint64_t kernel_drops; /* datagrams that a socket's buffer had no room for */
	uint64_t errors;       /* reads that failed */
};
void inputs_counters(const struct inputs *in, struct input_counters *out);

#endif
