/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/spine.h"

void spine_run(struct worker *w, struct batch *b)
{
	stage_parse(w, b);
	stage_collect(w, b);
	if (!b->claimed) {
		spine_rules(w, b);
		return;
	}
	stage_early(w, b);
	stage_handoff(w, b);
	spine_decap(w, b);
}

void spine_decap(struct worker *w, struct batch *b)
{
	struct batch dus;
	bool done;

	b->at = 0;
	b->popping = NULL;
	do {
		dus.n = 0;
		done = stage_decap(w, b, &dus);
		spine_rules(w, &dus);
	} while (!done);
}

void spine_rules(struct worker *w, struct batch *b)
{
	stage_key(w, b);
	stage_sample(w, b);
	stage_rules(w, b);
	stage_actions(w, b);
	b->n = 0;
}

void spine_forward(struct worker *w, struct batch *b, struct port *to)
{
	struct pkt *p;

	stage_key(w, b);
	stage_sample(w, b);
	BATCH_FOR_EACH (p, b)
		port_output(w, p, to);
	b->n = 0;
}
