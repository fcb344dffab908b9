/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and instructions as FLOW text: ovs-ofctl's grammar for OpenFlow 1.3. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/action.h"
#include "lib/openflow.h"
#include "lib/options.h"

/* ---- Words --------------------------------------------------------------------------- */

/* `name`, `name:arg`, `name=arg` or `name(arg)`; arg is "" where there is none. */
struct word {
	char *name, *arg;
};

static bool is_blank(char c)
{
	return c == ',' || isspace((unsigned char)c);
}

/* The end of an argument: a comma or blank outside parentheses; NULL: they do not close. */
static char *arg_end(char *at)
{
	int depth = 0;

	for (; *at && (depth || !is_blank(*at)); at++) {
		depth += *at == '(';
		depth -= *at == ')';
		if (depth < 0)
			return NULL;
	}
	return depth ? NULL : at;
}

/* What belongs to the word before, comma or not: `limit:10mbps,burst=1mb`. */
#define BURST ",burst="

/* Takes the next word off *rest, which it cuts up.  1, 0 at the end, or a refusal. */
static int next_word(char **rest, struct word *word, struct refusal *r)
{
	char *at = *rest, *end, *mark;

	while (is_blank(*at))
		at++;
	if (!*at)
		return 0;
	end = arg_end(at);
	while (end && !strncmp(end, BURST, strlen(BURST)))
		end = arg_end(end + 1);
	if (!end)
		return refuse(r, SYNTAX, NULL, "parentheses do not match at '%.40s'", at);
	*rest = *end ? end + 1 : end;
	*end = '\0';
	mark = at + strcspn(at, ":=(");
	*word = (struct word){at, mark};
	if (*mark == '(') {
		if (end[-1] != ')')
			return refuse(r, SYNTAX, NULL, "'%.64s' has text behind its parentheses",
				      at);
		end[-1] = '\0';
	}
	if (*mark) {
		*mark = '\0';
		word->arg = mark + 1;
	}
	return 1;
}

/* ---- Actions ------------------------------------------------------------------------- */

/* Other names of the same, as ovs-ofctl has them. */
static const struct {
	const char *alias, *name;
} action_aliases[] = {
	{"set_nw_ttl", "mod_nw_ttl"},
	{"dec_nw_ttl", "dec_ttl"},
	{"strip_vlan", "pop_vlan"},
};

static const struct {
	const char *name;
	enum field_id id;
} set_aliases[] = {
	{"mod_dl_src", FIELD_ETH_SRC},        {"mod_dl_dst", FIELD_ETH_DST},
	{"mod_nw_src", FIELD_IPV4_SRC},       {"mod_nw_dst", FIELD_IPV4_DST},
	{"mod_vlan_vid", FIELD_VLAN_VID},     {"mod_vlan_pcp", FIELD_VLAN_PCP},
	{"mod_nw_tos", FIELD_IP_DSCP},        {"mod_nw_ecn", FIELD_IP_ECN},
	{"set_mpls_label", FIELD_MPLS_LABEL}, {"set_mpls_tc", FIELD_MPLS_TC},
};

/* mod_vlan_vid has no bit for the tag's presence, mod_nw_tos is the DSCP times four. */
static int parse_set_alias(const struct word *word, enum field_id id, struct buf *ops,
			   struct refusal *r)
{
	struct field_value v = {.field = &fields[id]};
	uint64_t n = 0;
	char number[24];
	const char *text = word->arg;
	int error;

	if (id == FIELD_VLAN_VID || id == FIELD_IP_DSCP) {
		if (parse_u64(text, &n) || (id == FIELD_VLAN_VID ? n > 0xfff : n > 0xff || n & 3))
			return refuse(r, SET_ARGUMENT, word->name,
				      "%s: '%.32s' is not its value; %s", word->name, text,
				      id == FIELD_VLAN_VID ? "0 to 4095"
							   : "a multiple of 4 up to 252");
		snprintf(number, sizeof number, "%" PRIu64,
			 id == FIELD_VLAN_VID ? n | OFPVID_PRESENT : n >> 2);
		text = number;
	}
	error = field_parse(v.field, text, v.value, v.mask, r);
	if (error && r)
		r->code = REFUSED_SET_ARGUMENT;
	return error ? error : set_field_put(ops, &v, r);
}

/* `controller(max_len=N)` and `CONTROLLER:N`; other ports too, of whom it is only read back. */
static int parse_port(const struct word *word, struct buf *ops, struct refusal *r)
{
	const char *len = word->arg;
	char text[80];

	if (!strncmp(len, "max_len=", 8))
		len += 8;
	if (!*len)
		return action_class(ACTION_OUTPUT)->parse(word->name, ops, r);
	snprintf(text, sizeof text, "%.40s:%.32s", word->name, len);
	return action_class(ACTION_OUTPUT)->parse(text, ops, r);
}

static int refuse_word(const struct word *word, struct refusal *r)
{
	static const char *const words[] = {"output",
					    "set_field",
					    "push_vlan",
					    "pop_vlan",
					    "strip_vlan",
					    "mod_nw_ttl",
					    "dec_ttl",
					    "mod_dl_src",
					    "mod_dl_dst",
					    "mod_nw_src",
					    "mod_nw_dst",
					    "mod_vlan_vid",
					    "mod_nw_tos",
					    "mod_vlan_pcp",
					    "goto_table",
					    "write_metadata",
					    "meter",
					    "NORMAL",
					    "CONTROLLER",
					    "LOCAL",
					    "write_actions",
					    "clear_actions",
					    "drop",
					    "IN_PORT",
					    "FLOOD",
					    "ALL",
					    "limit",
					    "sample",
					    "limiter",
					    "connlimit",
					    "pass",
					    "set_add",
					    "group",
					    "clamp_mss",
					    "reject",
					    "push_mpls",
					    "pop_mpls",
					    "set_mpls_ttl",
					    "dec_mpls_ttl",
					    "copy_ttl_out",
					    "copy_ttl_in",
					    "push_pbb",
					    "pop_pbb",
					    "set_queue",
					    "set_mpls_label",
					    "set_mpls_tc",
					    NULL};
	const char *near = did_you_mean(word->name, words);

	return refuse(r, UNKNOWN_WORD, word->name, "'%.64s' is no action or port%s%s%s", word->name,
		      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int parse_action(const struct word *word, struct buf *ops, struct refusal *r)
{
	const char *name = word->name;
	uint32_t port;

	for (unsigned i = 0; i < ARRAY_SIZE(action_aliases); i++)
		if (!strcmp(name, action_aliases[i].alias))
			name = action_aliases[i].name;
	for (unsigned i = 0; i < N_ACTIONS; i++)
		if (!strcmp(name, action_class(i)->name))
			return action_parse(i, word->arg, ops, r);
	for (unsigned i = 0; i < ARRAY_SIZE(set_aliases); i++)
		if (!strcmp(name, set_aliases[i].name))
			return parse_set_alias(word, set_aliases[i].id, ops, r);
	if (port_parse(name, &port))
		return parse_port(word, ops, r);
	return refuse_word(word, r);
}

static int check_size(const struct buf *ops, struct refusal *r)
{
	if (ops->size <= PATH_OPS / 2)
		return 0;
	return refuse(r, TOO_MANY_ACTIONS, NULL, "more actions than the %d octets of a rule hold",
		      PATH_OPS / 2);
}

static int parse_actions(char *rest, struct buf *ops, struct refusal *r)
{
	bool drops = false, others = false;
	struct word word;
	int more;

	while ((more = next_word(&rest, &word, r)) > 0) {
		int error = 0;

		if (!strcmp(word.name, "drop"))
			drops = true;
		else
			error = (others = true, parse_action(&word, ops, r));
		error = error ? error : check_size(ops, r);
		if (error)
			return error;
	}
	if (more < 0)
		return more;
	if (drops && others)
		return refuse(r, SYNTAX, "drop",
			      "drop stands alone: it says that there are no actions");
	return 0;
}

int actions_parse(const char *text, struct buf *ops, struct refusal *r)
{
	char *copy = strdup(text);
	int error;

	if (!copy)
		abort();
	error = parse_actions(copy, ops, r);
	free(copy);
	return error;
}

void actions_format(const void *ops, size_t size, struct buf *text)
{
	const char *comma = "";

	OP_FOR_EACH(op, ops, size)
	{
		buf_printf(text, "%s", comma);
		action_format(op, text);
		comma = ",";
	}
}

/* ---- Instructions -------------------------------------------------------------------- */

static int parse_number(const struct word *word, uint64_t max, uint64_t *n, struct refusal *r)
{
	if (!parse_u64(word->arg, n) && *n <= max)
		return 0;
	return refuse(r, SYNTAX, word->name,
		      "%s:%.32s is not of the form %s:N with N up to %" PRIu64, word->name,
		      word->arg, word->name, max);
}

static int parse_metadata(char *arg, struct instructions *i, struct refusal *r)
{
	char *slash = strchr(arg, '/');

	i->metadata_mask = UINT64_MAX;
	if (slash)
		*slash = '\0';
	if (parse_u64(arg, &i->metadata) || (slash && parse_u64(slash + 1, &i->metadata_mask)))
		return refuse(r, SYNTAX, "write_metadata",
			      "write_metadata: not of the form VALUE[/MASK]");
	i->metadata &= i->metadata_mask;
	return 0;
}

enum instruction { GOTO_TABLE, WRITE_METADATA, WRITE_ACTIONS, APPLY_ACTIONS, CLEAR_ACTIONS, METER };

static const char *const instruction_words[] = {
	"goto_table", "write_metadata", "write_actions", "apply_actions", "clear_actions", "meter",
};

static int parse_instruction(enum instruction kind, const struct word *word, struct instructions *i,
			     struct refusal *r)
{
	uint64_t n = 0;
	int error = 0;

	switch (kind) {
	case GOTO_TABLE:
		error = parse_number(word, OFPTT_MAX, &n, r);
		i->has_goto = true;
		i->goto_table = (uint8_t)n;
		break;
	case WRITE_METADATA:
		error = parse_metadata(word->arg, i, r);
		break;
	case WRITE_ACTIONS:
		error = parse_actions(word->arg, &i->write, r);
		i->has_write = true;
		break;
	case APPLY_ACTIONS:
		error = parse_actions(word->arg, &i->apply, r);
		i->has_apply = true;
		break;
	case CLEAR_ACTIONS:
		i->clear = true;
		break;
	case METER:
		error = parse_number(word, UINT32_MAX, &n, r);
		if (!error && !n)
			error = refuse(r, UNKNOWN_METER, "meter", "there is no meter 0");
		i->meter = (uint32_t)n;
		break;
	}
	return error;
}

static int parse_instructions(char *rest, struct instructions *i, struct refusal *r)
{
	bool drops = false, others = false;
	unsigned seen = 0;
	struct word word;
	int more, error;

	while ((more = next_word(&rest, &word, r)) > 0) {
		unsigned kind = 0;

		if (!strcmp(word.name, "pass") && !*word.arg)
			word = (struct word){(char *)"goto_table", (char *)"0"};
		while (kind < ARRAY_SIZE(instruction_words) &&
		       strcmp(word.name, instruction_words[kind]))
			kind++;
		if (kind < ARRAY_SIZE(instruction_words)) {
			if (seen & 1u << kind)
				return refuse(r, DUP_INSTRUCTION, word.name,
					      "%s is given twice; once is accepted", word.name);
			seen |= 1u << kind;
			error = parse_instruction(kind, &word, i, r);
		} else if (!strcmp(word.name, "drop")) {
			drops = true;
			continue;
		} else {
			i->has_apply = others = true;
			error = parse_action(&word, &i->apply, r);
		}
		error = error ? error : check_size(&i->apply, r);
		if (error)
			return error;
	}
	if (more < 0)
		return more;
	if (drops && (others || seen))
		return refuse(r, SYNTAX, "drop",
			      "drop stands alone: it says that there are no actions");
	return 0;
}

int instructions_parse(const char *text, struct instructions *i, struct refusal *r)
{
	char *copy = strdup(text);
	int error;

	if (!copy)
		abort();
	*i = (struct instructions){0};
	error = parse_instructions(copy, i, r);
	free(copy);
	if (error)
		instructions_free(i);
	return error;
}

void instructions_format(const struct instructions *i, struct buf *text)
{
	size_t start = text->size;

#define COMMA (text->size == start ? "" : ",")
	if (i->meter)
		buf_printf(text, "meter:%" PRIu32, i->meter);
	if (i->apply.size) {
		buf_printf(text, "%s", COMMA);
		actions_format(i->apply.data, i->apply.size, text);
	}
	if (i->clear)
		buf_printf(text, "%sclear_actions", COMMA);
	if (i->write.size) {
		buf_printf(text, "%swrite_actions(", COMMA);
		actions_format(i->write.data, i->write.size, text);
		buf_printf(text, ")");
	}
	if (i->metadata_mask) {
		buf_printf(text, "%swrite_metadata:0x%" PRIx64, COMMA, i->metadata);
		if (i->metadata_mask != UINT64_MAX)
			buf_printf(text, "/0x%" PRIx64, i->metadata_mask);
	}
	if (i->has_goto && i->goto_table)
		buf_printf(text, "%sgoto_table:%u", COMMA, i->goto_table);
	/* In the guard, what does not end the path goes on by itself: `pass` is for that alone. */
	if (text->size == start)
		buf_printf(text, i->has_goto ? "pass" : "drop");
#undef COMMA
}
