/* SPDX-License-Identifier: Apache-2.0 */
/* An ofp_match, then ofp_instructions, from the wire.  What is accepted is written to the same
 * meaning. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/action.h"
#include "datapath/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not run here; the switch's own is in another file. */
__attribute__((weak)) void output_run(struct worker *w, struct pkt *p, uint32_t ofport,
				      uint16_t max_len)
{
	(void)w, (void)p, (void)ofport, (void)max_len;
}

static void check_match(const struct match *m)
{
	struct buf wire = {0};
	struct match again;
	struct reader reader;

	bpf_turn();
	if (match_put_oxm(m, &wire, false)) { /* a program may be too long for it */
		reader = reader_of(wire.data, wire.size);
		if (match_get_oxm(&again, &reader, NULL) || !match_equal(m, &again))
			abort();
	}
	buf_free(&wire);
}

static void check_instructions(const struct instructions *i)
{
	struct buf wire = {0}, wire_again = {0}, text = {0};
	struct instructions again;
	struct reader reader;

	instructions_put(i, &wire);
	reader = reader_of(wire.data, wire.size);
	if (instructions_get(&reader, &again, NULL))
		abort();
	instructions_put(&again, &wire_again);
	if (wire.size != wire_again.size ||
	    (wire.size && memcmp(wire.data, wire_again.data, wire.size)))
		abort();
	instructions_free(&again);
	instructions_format(i, &text);
	if (instructions_parse(buf_text(&text), &again, NULL))
		abort();
	instructions_free(&again);
	buf_free(&wire);
	buf_free(&wire_again);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct switch_limits limits = {.n_tables = 254};
	struct reader wire = reader_of(data, size);
	struct instructions i;
	struct refusal r;
	struct match m;

	if (match_get_oxm(&m, &wire, &r))
		return 0;
	check_match(&m);
	if (!instructions_get(&wire, &i, &r)) {
		check_instructions(&i);
		if (!instructions_validate(&i, &m, &limits, &r))
			program_free(program_compile(&i));
		instructions_free(&i);
	}
	return 0;
}
