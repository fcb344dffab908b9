/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines' files, from anybody who may write them; and what is read twice is the same. */
#include <stdint.h>
#include <stdlib.h>

#include "utilities/watch/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* No folder: @FILE would read the fuzzer's own machine. */
	struct pipeline_text t = {.file = "fuzz.watch", .text = (const char *)data, .size = size};
	struct refusal r = {0};
	struct pipeline *p = pipeline_parse(&t, &r);

	if (!p) {
		if (!r.code || strncmp(r.text, "fuzz.watch:", 11))
			abort();
		return 0;
	}
	if (p->mode > MODE_AUTOMATIC || p->narrow_v4 > 32 || p->narrow_v6 > 128 ||
	    p->collateral < 0 || p->collateral > 1 || !p->max_rules || !p->expire_ns ||
	    p->allow.n > PIPELINE_PREFIXES || p->n_alerts > PIPELINE_ALERTS)
		abort();
	pipeline_free(p);
	return 0;
}
