/* SPDX-License-Identifier: Apache-2.0 */
/* A sample, as the watcher sees it, wherever it came from.
 *
 * Readers (sflow-read.c for sFlow v5, flow-json.c for pmacct's lines, replay.c for captures of
 * sFlow) make these and hand them to a sink; nobody behind the sink knows about formats.  The key
 * is the datapath's: a match is tested on a sample as it is on a packet.  Single thread. */
#ifndef SLUICE_WATCH_SAMPLE_H
#define SLUICE_WATCH_SAMPLE_H

#include "datapath/key.h"
#include "lib/addr.h"

enum {
	WATCH_EXPORTERS = 1024,          /* of sFlow, remembered at a time */
	EXPORTER_JSON = WATCH_EXPORTERS, /* of all flow records */
};

enum watch_end { END_UNKNOWN, END_SENT, END_DROPPED };

struct watch_sample {
	uint64_t ns;              /* when it came, monotonic; the capture's time in a replay */
	uint64_t packets, octets; /* what it stands for */
	uint32_t length;          /* of one packet, without a link-layer header */
	uint32_t exporter;        /* index of who sent it, by address and sub-agent */
	uint8_t end;              /* enum watch_end */
	uint8_t reason;           /* of a drop by a sluice: enum drop_reason; otherwise 0xff */
	bool collected;           /* key.outer says something */
	bool aggregate; /* of an aggregate that gave no DU: key.du is the outer packet's */
	bool by_rule;   /* a rule asked for it: stands for nothing beyond itself */
	struct key key; /* du.in_port is the ifIndex of a foreign router */
};

struct sample_sink {
	void (*sample)(struct sample_sink *s, const struct watch_sample *sample);
};

/* What readers counted; each refused or passed-over thing is in one of them. */
struct read_counters {
	uint64_t datagrams, samples; /* sFlow */
	uint64_t lines, records;     /* JSON */
	uint64_t malformed;          /* lengths that lie, truncated, not UTF-8, no JSON … */
	uint64_t ignored;            /* structures and lines that are well-formed but not for us */
	uint64_t lost;               /* datagrams missing in sequence */
};

/* One sFlow v5 datagram (sflow.org, sFlow Version 5) that came at `ns`.  Samples before a lie are
 * delivered, the rest is not looked at.  0, or -EINVAL (counted as malformed). */
struct sflow_reader;
struct sflow_reader *sflow_reader_create(
	void); /* never NULL; memory fixed: at most 1,024 exporters */
void sflow_reader_free(struct sflow_reader *r);
int sflow_read(struct sflow_reader *r, const void *datagram, size_t size, uint64_t ns,
	       struct sample_sink *to);
const struct read_counters *sflow_counters(const struct sflow_reader *r);

/* One line of pmacct's JSON (print plugin of nfacctd, sfacctd, pmacctd): `size` octets, no
 * newline.  A flow record becomes one sample of mean length.  0, or -EINVAL (counted). */
int flow_json_read(const char *line, size_t size, uint64_t ns, struct read_counters *n,
		   struct sample_sink *to);

/* A capture (pcap, pcapng) of sFlow datagrams over UDP: each at its time, and `tick` whenever
 * `tick_ns` of the capture's time has passed.  0, or -errno with a refusal that names the file. */
struct refusal;
struct replay {
	const char *file;
	uint64_t tick_ns;
	void (*tick)(struct replay *r, uint64_t now_ns);
};
int replay_run(struct replay *r, struct sflow_reader *reader, struct sample_sink *to,
	       struct refusal *refusal);

#endif
