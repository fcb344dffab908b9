/* SPDX-License-Identifier: Apache-2.0 */
/* FLOW text: match words up to `actions=`, instructions behind it.  What is accepted reads back to
 * the same, as text and on the wire. */
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

static int parse_match(char *text, struct match *m)
{
	struct refusal r;
	char *name, *value;
	int more, error = 0;

	*m = (struct match){0};
	while (!error && (more = match_next_word(&text, &name, &value, &r)) > 0)
		error = match_parse_word(m, name, value, &r);
	return error ? error : more ? more : match_finish(m, &r);
}

static void check_match(const struct match *m)
{
	struct buf text = {0}, wire = {0};
	struct match again;
	struct reader reader;

	match_format(m, &text);
	buf_text(&text);
	if (parse_match((char *)text.data, &again) || !match_equal(m, &again))
		abort();
	bpf_turn();
	if (match_put_oxm(m, &wire, false)) { /* a program may be too long for it */
		reader = reader_of(wire.data, wire.size);
		if (match_get_oxm(&again, &reader, NULL) || !match_equal(m, &again))
			abort();
	}
	buf_free(&text);
	buf_free(&wire);
}

static void check_instructions(struct instructions *i)
{
	struct buf text = {0}, text_again = {0}, wire = {0};
	struct instructions again;
	struct reader reader;

	instructions_format(i, &text);
	if (instructions_parse(buf_text(&text), &again, NULL))
		abort();
	instructions_free(&again);
	instructions_put(i, &wire);
	reader = reader_of(wire.data, wire.size);
	if (instructions_get(&reader, &again, NULL))
		abort();
	instructions_format(&again, &text_again);
	if (strcmp(buf_text(&text), buf_text(&text_again)))
		abort();
	instructions_free(&again);
	buf_free(&text);
	buf_free(&text_again);
	buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct switch_limits limits = {.n_tables = 254};
	struct instructions i;
	struct match m;
	struct refusal r;
	char text[4096], *actions;
	bool matched;

	if (size >= sizeof text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	actions = strstr(text, "actions=");
	if (actions) {
		*actions = '\0';
		actions += strlen("actions=");
	}
	matched = !parse_match(text, &m);
	if (matched)
		check_match(&m);
	if (actions && !instructions_parse(actions, &i, &r)) {
		check_instructions(&i);
		if (matched && !instructions_validate(&i, &m, &limits, &r))
			program_free(program_compile(&i));
		instructions_free(&i);
	}
	return 0;
}
