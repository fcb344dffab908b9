/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/guard-text.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Names of ports ---------------------------------------------------------------------- */

static struct {
	uint32_t ofport;
	char name[NAME_OCTETS];
} names[NAMES_MAX];
static unsigned n_names;

static void learn(const json_t *list)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		json_int_t ofport = json_integer_value(json_object_get(row, "ofport"));

		if (!name || !*name || strlen(name) >= NAME_OCTETS || ofport <= 0 ||
		    ofport > UINT32_MAX || n_names == NAMES_MAX)
			continue;
		names[n_names].ofport = (uint32_t)ofport;
		strcpy(names[n_names++].name, name);
	}
}

void names_learn(const json_t *show)
{
	n_names = 0;
	learn(json_object_get(show, "ports"));
	learn(json_object_get(show, "conns"));
}

static bool number_of(const char *name, uint32_t *ofport)
{
	for (unsigned i = 0; i < n_names; i++)
		if (!strcmp(names[i].name, name)) {
			*ofport = names[i].ofport;
			return true;
		}
	return false;
}

static const char *name_of(uint32_t ofport)
{
	for (unsigned i = 0; i < n_names; i++)
		if (names[i].ofport == ofport)
			return names[i].name;
	return NULL;
}

const struct port_names learned_names = {.number = number_of, .name = name_of};

/* ---- Out --------------------------------------------------------------------------------- */

void guard_match_text(const struct guard_rule *rule, struct buf *text)
{
	struct buf match = {0};

	match_format(&rule->match, &match);
	buf_printf(text, "priority=%u%s%s", rule->priority, match.size ? "," : "",
		   buf_text(&match));
	buf_free(&match);
}

/* ---- In ---------------------------------------------------------------------------------- */

/* `name=value,word,…`: false when a word is no field. */
static bool parse_match(const char *text, struct match *m)
{
	char copy[2048], *at = copy, *word, *value;
	struct refusal r;
	int more;

	memset(m, 0, sizeof *m);
	if (!text || strlen(text) >= sizeof copy)
		return false;
	strcpy(copy, text);
	while ((more = match_next_word(&at, &word, &value, &r)) > 0)
		if (match_parse_word(m, word, value, &r))
			return false;
	return !more && !match_finish(m, &r);
}

static bool parse_actions(const char *text, struct guard_rule *rule)
{
	static const char limit[] = "limit:";
	struct rate rate;
	char word[64];

	if (text && !strcmp(text, "drop")) {
		rule->action = GUARD_DROP;
		return true;
	}
	if (text && !strcmp(text, "pass")) {
		rule->action = GUARD_PASS;
		return true;
	}
	if (!text || strncmp(text, limit, strlen(limit)))
		return false;
	snprintf(word, sizeof word, "%s", text + strlen(limit));
	word[strcspn(word, ",")] = '\0'; /* a burst may follow */
	if (parse_rate(word, &rate))
		return false;
	rule->action = GUARD_LIMIT;
	if (rate.packets)
		rule->limit_pps = rate.n;
	else
		rule->limit_bps = rate.n;
	return true;
}

/* All 64 bits are in the row's text only: JSON's integers are signed. */
static uint64_t row_cookie(const json_t *row)
{
	const char *flow = json_string_value(json_object_get(row, "flow"));
	const char *at = flow ? strstr(flow, "cookie=0x") : NULL;

	if (at)
		return strtoull(at + strlen("cookie="), NULL, 16);
	return (uint64_t)json_integer_value(json_object_get(row, "cookie"));
}

static uint64_t number(const json_t *row, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(row, key));

	return v > 0 ? (uint64_t)v : 0;
}

bool guard_row_parse(const json_t *row, struct guard_rule *rule, struct guard_counters *n)
{
	const char *origin = json_string_value(json_object_get(row, "origin"));
	const char *reason = json_string_value(json_object_get(row, "reason"));
	uint64_t priority = number(row, "priority");

	memset(rule, 0, sizeof *rule);
	if (!origin || strcmp(origin, "watch") || priority > UINT16_MAX ||
	    !parse_match(json_string_value(json_object_get(row, "match")), &rule->match) ||
	    !parse_actions(json_string_value(json_object_get(row, "actions")), rule))
		return false;
	rule->priority = (uint16_t)priority;
	rule->cookie = row_cookie(row);
	rule->expire_ns = number(row, "expires_ns");
	snprintf(rule->reason, sizeof rule->reason, "%s", reason ? reason : "");
	n->packets = number(row, "packets");
	n->octets = number(row, "bytes");
	return true;
}
