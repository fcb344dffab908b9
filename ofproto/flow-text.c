/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as text: ovs-ofctl's syntax, both ways. */
#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

enum { PRIORITY_DEFAULT = 0x8000 };

void flow_mod_init(struct flow_mod *fm)
{
	*fm = (struct flow_mod){
		.command = OFPFC_ADD,
		.priority = PRIORITY_DEFAULT,
		.out_port = OFPP_ANY,
		.out_group = OFPG_ANY,
		.origin = ORIGIN_CLI,
	};
}

void flow_mod_delete(struct flow_mod *gone, const struct flow_mod *was)
{
	flow_mod_init(gone);
	gone->command = OFPFC_DELETE_STRICT;
	gone->table = was->table;
	gone->priority = was->priority;
	gone->match = was->match;
	gone->origin = was->origin;
}

void flow_mod_free(struct flow_mod *fm)
{
	instructions_free(&fm->instructions);
	fm->instructions = (struct instructions){0};
}

/* ---- Words that are no match field -------------------------------------------------------- */

static int number(const char *key, const char *value, uint64_t max, uint64_t *out,
		  struct refusal *r)
{
	if (!value || parse_u64(value, out) || *out > max)
		return refuse(r, BAD_VALUE, key, "%s=%s; a number up to %llu is expected", key,
			      value ? value : "", (unsigned long long)max);
	return 0;
}

static int word_table(struct flow_mod *fm, const char *value, struct refusal *r)
{
	uint64_t n;

	if (value && !strcmp(value, "guard")) {
		fm->table = TABLE_GUARD;
		return 0;
	}
	if (number("table", value, OFPTT_ALL, &n, r))
		return -EINVAL;
	if (n == TABLE_GUARD)
		return refuse(r, BAD_TABLE, "table", "tables are 0 to %u, and guard",
			      TABLE_MAX - 1);
	fm->table = n;
	return 0;
}

static int word_priority(struct flow_mod *fm, const char *value, struct refusal *r)
{
	uint64_t n;

	if (number("priority", value, UINT16_MAX, &n, r))
		return -EINVAL;
	fm->priority = n;
	return 0;
}

/* `cookie=V` is the new rule's; `cookie=V/MASK` selects, and so does a bare one when deleting. */
static int word_cookie(struct flow_mod *fm, const char *value, struct refusal *r)
{
	char text[64];
	char *mask;

	snprintf(text, sizeof text, "%s", value ? value : "");
	mask = strchr(text, '/');
	if (mask)
		*mask++ = '\0';
	if (number("cookie", text, UINT64_MAX, &fm->cookie, r))
		return -EINVAL;
	if (!mask) {
		if (fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT)
			fm->cookie_mask = UINT64_MAX;
		return 0;
	}
	if (fm->command == OFPFC_ADD)
		return refuse(r, SYNTAX, "cookie",
			      "a cookie mask selects rules; a new one has cookie=VALUE");
	if (!strcmp(mask, "-1")) {
		fm->cookie_mask = UINT64_MAX;
		return 0;
	}
	return number("cookie", mask, UINT64_MAX, &fm->cookie_mask, r);
}

static int word_idle(struct flow_mod *fm, const char *value, struct refusal *r)
{
	uint64_t n;

	if (number("idle_timeout", value, UINT16_MAX, &n, r))
		return -EINVAL;
	fm->idle_timeout = n;
	return 0;
}

static int word_hard(struct flow_mod *fm, const char *value, struct refusal *r)
{
	uint64_t n;

	if (number("hard_timeout", value, UINT16_MAX, &n, r))
		return -EINVAL;
	fm->hard_timeout = n;
	return 0;
}

static int word_out_port(struct flow_mod *fm, const char *value, struct refusal *r)
{
	static const struct {
		const char *name;
		uint32_t number;
	} reserved[] = {
		{"LOCAL", OFPP_LOCAL},     {"NORMAL", OFPP_NORMAL}, {"CONTROLLER", OFPP_CONTROLLER},
		{"IN_PORT", OFPP_IN_PORT}, {"ALL", OFPP_ALL},       {"FLOOD", OFPP_FLOOD},
		{"ANY", OFPP_ANY},         {"TABLE", OFPP_TABLE}};
	uint64_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		if (value && !strcasecmp(value, reserved[i].name)) {
			fm->out_port = reserved[i].number;
			return 0;
		}
	if (value && port_names && port_names->number(value, &fm->out_port))
		return 0;
	if (!value || parse_u64(value, &n) || n > UINT32_MAX)
		return refuse(r, BAD_OUT_PORT, "out_port", "no port is called %s",
			      value ? value : "");
	fm->out_port = n;
	return 0;
}

static int word_out_group(struct flow_mod *fm, const char *value, struct refusal *r)
{
	uint64_t n;

	if (number("out_group", value, UINT32_MAX, &n, r))
		return -EINVAL;
	fm->out_group = n;
	return 0;
}

static int word_unverified(struct flow_mod *fm, const char *value, struct refusal *r)
{
	if (!value || (strcmp(value, "yes") && strcmp(value, "no")))
		return refuse(r, BAD_VALUE, "unverified", "unverified=%.16s; yes or no",
			      value ? value : "");
	fm->unverified = !strcmp(value, "yes");
	return 0;
}

static int word_wide(struct flow_mod *fm, const char *value, struct refusal *r)
{
	if (!value || (strcmp(value, "yes") && strcmp(value, "no")))
		return refuse(r, BAD_VALUE, "wide", "wide=%.16s; yes or no", value ? value : "");
	fm->wide = !strcmp(value, "yes");
	return 0;
}

/* Readings in a dump: accepted, and forgotten. */
static int word_ignored(struct flow_mod *fm, const char *value, struct refusal *r)
{
	(void)fm, (void)value, (void)r;
	return 0;
}

static const struct {
	const char *key;
	uint16_t flag; /* a word that stands alone */
	int (*read)(struct flow_mod *fm, const char *value, struct refusal *r);
} words[] = {
	{"table", 0, word_table},
	{"table_id", 0, word_table},
	{"priority", 0, word_priority},
	{"cookie", 0, word_cookie},
	{"idle_timeout", 0, word_idle},
	{"hard_timeout", 0, word_hard},
	{"out_port", 0, word_out_port},
	{"out_group", 0, word_out_group},
	{"unverified", 0, word_unverified},
	{"wide", 0, word_wide},
	{"send_flow_rem", OFPFF_SEND_FLOW_REM, NULL},
	{"check_overlap", OFPFF_CHECK_OVERLAP, NULL},
	{"reset_counts", OFPFF_RESET_COUNTS, NULL},
	{"no_packet_counts", OFPFF_NO_PKT_COUNTS, NULL},
	{"no_byte_counts", OFPFF_NO_BYT_COUNTS, NULL},
	{"duration", 0, word_ignored},
	{"n_packets", 0, word_ignored},
	{"n_bytes", 0, word_ignored},
	{"idle_age", 0, word_ignored},
	{"hard_age", 0, word_ignored},
	{"id", 0, word_ignored},
	{"expires", 0, word_ignored},
	{"shadowed_by", 0, word_ignored},
	{"hidden_by", 0, word_ignored},
	{"origin", 0, word_ignored},
	{"early", 0, word_ignored},
};

static int unknown(const char *key, struct refusal *r)
{
	const char *known[ARRAY_SIZE(words) + N_FIELDS + 1];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		known[n++] = words[i].key;
	for (size_t i = 0; i < N_FIELDS; i++)
		known[n++] = fields[i].name;
	known[n] = NULL;
	near = did_you_mean(key, known);
	return refuse(r, UNKNOWN_WORD, key, "unknown word %s in a flow%s%s%s", key,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int read_word(struct flow_mod *fm, const char *key, const char *value, struct refusal *r)
{
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(key, words[i].key))
			continue;
		if (words[i].read)
			return words[i].read(fm, value, r);
		if (value)
			return refuse(r, SYNTAX, key, "%s takes no value", key);
		fm->flags |= words[i].flag;
		return 0;
	}
	error = match_parse_word(&fm->match, key, value, r);
	return error == -ENOENT ? unknown(key, r) : error;
}

/* ---- The line ----------------------------------------------------------------------------- */

static int read_words(char *text, struct flow_mod *fm, struct refusal *r)
{
	bool selects = fm->command == OFPFC_MODIFY || fm->command == OFPFC_DELETE;
	char *name, *value;
	int more;

	for (bool first = true; (more = match_next_word(&text, &name, &value, r)) > 0;
	     first = false) {
		int error = 0;

		if (first && !value && selects && !strcmp(name, "strict"))
			fm->command++; /* the strict command is the next number */
		else
			error = read_word(fm, name, value, r);
		if (error)
			return error;
	}
	return more;
}

static int read_flow(char *text, struct flow_mod *fm, struct refusal *r)
{
	bool needs = fm->command <= OFPFC_MODIFY_STRICT;
	char *actions = match_find_actions(text);
	int error;

	if (needs && !actions && !read_words(text, fm, r))
		return refuse(r, SYNTAX, "actions",
			      "a flow needs actions=…; actions=drop for none");
	if (needs && !actions)
		return -EINVAL; /* a word was refused */
	if (!needs && actions)
		return refuse(r, SYNTAX, "actions",
			      "what is to be deleted is said without actions");
	error = read_words(text, fm, r);
	if (!error)
		error = match_finish(&fm->match, r);
	if (!error && actions)
		error = instructions_parse(actions, &fm->instructions, r);
	return error;
}

int flow_parse(const char *text, uint8_t command, struct flow_mod *fm, struct refusal *r)
{
	char *copy = mem_text(text);
	int error;

	flow_mod_init(fm);
	fm->command = command;
	if (command == OFPFC_DELETE || command == OFPFC_DELETE_STRICT)
		fm->table = OFPTT_ALL; /* unless it says table= */
	error = read_flow(copy, fm, r);
	if (error)
		flow_mod_free(fm);
	free(copy);
	return error;
}

void flow_format(const struct flow *f, struct buf *text)
{
	static const struct {
		uint16_t flag;
		const char *word;
	} flags[] = {
		{OFPFF_SEND_FLOW_REM, "send_flow_rem"},  {OFPFF_CHECK_OVERLAP, "check_overlap"},
		{OFPFF_RESET_COUNTS, "reset_counts"},    {OFPFF_NO_PKT_COUNTS, "no_packet_counts"},
		{OFPFF_NO_BYT_COUNTS, "no_byte_counts"},
	};
	size_t before;

	if (f->cookie)
		buf_printf(text, "cookie=0x%llx,", (unsigned long long)f->cookie);
	if (f->table == TABLE_GUARD)
		buf_printf(text, "table=guard,");
	else
		buf_printf(text, "table=%u,", f->table);
	if (f->idle_timeout)
		buf_printf(text, "idle_timeout=%u,", f->idle_timeout);
	if (f->hard_timeout)
		buf_printf(text, "hard_timeout=%u,", f->hard_timeout);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (f->flags & flags[i].flag)
			buf_printf(text, "%s,", flags[i].word);
	if (f->unverified)
		buf_printf(text, "unverified=yes,");
	if (f->wide)
		buf_printf(text, "wide=yes,");
	buf_printf(text, "priority=%u", f->priority);
	before = text->size;
	buf_printf(text, ",");
	match_format(&f->match, text);
	if (text->size == before + 1)
		text->size = before; /* an empty match */
	buf_printf(text, " actions=");
	instructions_format(&f->instructions, text);
}
