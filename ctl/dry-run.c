/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/dry-run.h"

#include <inttypes.h>

#include "ctl/stats.h"
#include "ctl/verb.h"
#include "ofproto/samples.h"

json_t *dry_run_collect(struct daemon *d, const struct match *m)
{
	struct dry_run run = {0};
	json_t *value = json_object();

	ofproto_dry_run(d->ofproto, m, &run);
	json_put(value, "evidence", json_boolean(run.n >= DRY_RUN_EVIDENCE));
	json_put(value, "seconds", json_real((double)run.oldest_ns / NSEC_PER_SEC));
	json_put_u64(value, "snapshots", run.n);
	json_put_u64(value, "snapshots_hit", run.n_hit);
	json_put_u64(value, "snapshots_unknown", run.n_unknown);
	json_put_u64(value, "packets", run.packets);
	json_put_u64(value, "packets_hit", run.hit);
	json_put_u64(value, "octets", run.octets);
	json_put_u64(value, "octets_hit", run.hit_octets);
	json_put(value, "share",
		 json_real(run.packets ? (double)run.hit / (double)run.packets : 0));
	json_put_u64(value, "sources", run.n_sources);
	json_put_u64(value, "targets", run.n_targets);
	json_put_u64(value, "already_dropped", run.hit_dropped);
	return value;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void dry_run_text(const json_t *value, struct buf *text)
{
	uint64_t n = json_u64(value, "snapshots"), hit = json_u64(value, "snapshots_hit");
	uint64_t sources = json_u64(value, "sources"), targets = json_u64(value, "targets");
	uint64_t octets = json_u64(value, "octets"), hit_octets = json_u64(value, "octets_hit");
	uint64_t unknown = json_u64(value, "snapshots_unknown");
	double seconds = json_real_value(json_object_get(value, "seconds"));

	if (!json_is_true(json_object_get(value, "evidence"))) {
		buf_printf(text, "no evidence: %s packet%s seen lately, and it wants %d",
			   n ? text_count(n) : "no", plural(n), DRY_RUN_EVIDENCE);
		if (unknown)
			buf_printf(text, "; of %s more what is kept does not say",
				   text_count(unknown));
		buf_printf(text, "\n");
		return;
	}
	buf_printf(text, "of %s packets seen in the last %.0f s it would have hit %s",
		   text_count(n), seconds < 1 ? 1.0 : seconds, text_count(hit));
	buf_printf(text, ": %.1f %% of packets, %.1f %% of octets",
		   100 * json_real_value(json_object_get(value, "share")),
		   octets ? 100 * (double)hit_octets / (double)octets : 0.0);
	buf_printf(text, ", %s source%s to %s target%s, %s (estimated) already dropped\n",
		   text_count(sources), plural(sources), text_count(targets), plural(targets),
		   text_count(json_u64(value, "already_dropped")));
}
