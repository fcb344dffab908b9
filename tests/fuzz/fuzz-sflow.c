/* SPDX-License-Identifier: Apache-2.0 */
/* sFlow datagrams: each sample that comes out of one stands for something, and everything read is
 * in one of the counters. */
#include <stdint.h>
#include <stdlib.h>

#include "utilities/watch/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t n_samples;

static void take(struct sample_sink *s, const struct watch_sample *sample)
{
	(void)s;
	if (!sample->packets || sample->exporter >= 1024 || sample->end > END_DROPPED)
		abort();
	n_samples++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sflow_reader *reader;
	struct sample_sink sink = {take};
	const struct read_counters *n;
	uint64_t malformed;
	int error;

	if (!reader)
		reader = sflow_reader_create();
	n = sflow_counters(reader);
	malformed = n->malformed;
	error = sflow_read(reader, data, size, 1, &sink);
	if (n->malformed != malformed + (error != 0) || n->samples != n_samples)
		abort();
	return 0;
}
