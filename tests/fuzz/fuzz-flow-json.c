/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of pmacct's JSON: each is a record, ignored or malformed, and a record stands for
 * something. */
#include <stdint.h>
#include <stdlib.h>

#include "utilities/watch/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct sample_sink *s, const struct watch_sample *sample)
{
	(void)s;
	if (!sample->packets || sample->exporter != EXPORTER_JSON)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample_sink sink = {take};
	struct read_counters n = {0};

	for (size_t at = 0; at < size;) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t line = end ? (size_t)(end - data) - at : size - at;
		uint64_t malformed = n.malformed;
		int error = flow_json_read((const char *)data + at, line, 1, &n, &sink);

		if (n.malformed != malformed + (error != 0) ||
		    n.lines != n.records + n.ignored + n.malformed)
			abort();
		at += line + 1;
	}
	return 0;
}
