/* SPDX-License-Identifier: Apache-2.0 */
/* Groups as text: ovs-ofctl's syntax, both ways. */
#include <ctype.h>
#include <inttypes.h>

#include "ofproto/memory.h"
#include "ofproto/state.h"

const char *const group_types[] = {"all", "select", "indirect", "ff", NULL};

void group_mod_free(struct group_mod *gm)
{
	group_spec_free(&gm->spec);
}

/* ---- Words ----------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ',' || isspace((unsigned char)c);
}

/* The next word of *rest, which ends at a comma or blank outside parentheses; NULL: none. */
static char *next_word(char **rest)
{
	char *at = *rest, *end;
	int depth = 0;

	while (is_blank(*at))
		at++;
	if (!*at)
		return NULL;
	for (end = at; *end && (depth > 0 || !is_blank(*end)); end++)
		depth += (*end == '(') - (*end == ')');
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return at;
}

/* Cuts `KEY=VALUE` or `KEY:VALUE` in two; NULL: it has no value. */
static char *cut(char *word)
{
	char *mark = word + strcspn(word, "=:(");

	if (*mark != '=' && *mark != ':')
		return NULL;
	*mark = '\0';
	return mark + 1;
}

static int number(const char *key, const char *value, uint64_t max, uint32_t *out,
		  struct refusal *r)
{
	uint64_t n;

	if (!value || parse_u64(value, &n) || n > max)
		return refuse(r, BAD_VALUE, key, "%s:%.32s; a number up to %" PRIu64 " is expected",
			      key, value ? value : "", max);
	*out = (uint32_t)n;
	return 0;
}

/* ---- Buckets --------------------------------------------------------------------------- */

static int read_weight(struct bucket_spec *b, const char *value, struct refusal *r)
{
	uint32_t n = 0;
	int error = number("weight", value, UINT16_MAX, &n, r);

	b->weight = (uint16_t)n;
	return error;
}

static int read_watch_port(struct bucket_spec *b, const char *value, struct refusal *r)
{
	if (value && !strcasecmp(value, "any"))
		b->watch_port = OFPP_ANY;
	else if (!value || !port_parse(value, &b->watch_port))
		return refuse(r, BAD_WATCH, "watch_port",
			      "watch_port:%.32s is no port; its number or name",
			      value ? value : "");
	return 0;
}

static int read_watch_group(struct bucket_spec *b, const char *value, struct refusal *r)
{
	if (value && !strcasecmp(value, "any")) {
		b->watch_group = OFPG_ANY;
		return 0;
	}
	return number("watch_group", value, OFPG_MAX, &b->watch_group, r);
}

/* Open vSwitch numbers buckets in what it prints; OpenFlow 1.3 does not. */
static int read_ignored(struct bucket_spec *b, const char *value, struct refusal *r)
{
	(void)b, (void)value, (void)r;
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct bucket_spec *b, const char *value, struct refusal *r);
} bucket_words[] = {
	{"weight", read_weight},
	{"watch_port", read_watch_port},
	{"watch_group", read_watch_group},
	{"bucket_id", read_ignored},
};

struct bucket_text {
	struct buf actions;
	unsigned seen; /* of bucket_words */
};

/* A word of a bucket, or one more action. */
static int read_bucket_word(struct bucket_spec *b, char *word, struct bucket_text *t,
			    struct refusal *r)
{
	struct buf *actions = &t->actions;
	size_t key = strcspn(word, "=:(");

	for (unsigned i = 0; i < ARRAY_SIZE(bucket_words); i++) {
		if (key != strlen(bucket_words[i].key) || strncmp(word, bucket_words[i].key, key))
			continue;
		if (t->seen & 1u << i)
			return refuse(r, SYNTAX, bucket_words[i].key, "%s is given twice",
				      bucket_words[i].key);
		t->seen |= 1u << i;
		return bucket_words[i].read(b, cut(word), r);
	}
	if (!strncmp(word, "actions=", 8) || !strncmp(word, "action=", 7))
		word += key + 1;
	buf_printf(actions, "%s%s", actions->size ? "," : "", word);
	return 0;
}

static int read_bucket(char *text, const struct group_spec *spec, struct bucket_spec *b,
		       struct refusal *r)
{
	struct bucket_text t = {0};
	char *word;
	int error = 0;

	*b = (struct bucket_spec){.weight = spec->type == OFPGT_SELECT,
				  .watch_port = OFPP_ANY,
				  .watch_group = OFPG_ANY};
	while (!error && (word = next_word(&text)))
		error = read_bucket_word(b, word, &t, r);
	if (!error)
		error = actions_parse(buf_text(&t.actions), &b->actions, r);
	buf_free(&t.actions);
	return error;
}

/* ---- Groups ---------------------------------------------------------------------------- */

static int read_id(struct group_mod *gm, const char *value, struct refusal *r)
{
	if (value && !strcasecmp(value, "all") && gm->command == OFPGC_DELETE) {
		gm->spec.id = OFPG_ALL;
		return 0;
	}
	return number("group_id", value, OFPG_MAX, &gm->spec.id, r);
}

static int read_type(struct group_mod *gm, const char *value, struct refusal *r)
{
	const char *near;

	if (value && !strcmp(value, "fast_failover"))
		value = "ff";
	for (uint8_t i = 0; value && group_types[i]; i++)
		if (!strcmp(value, group_types[i])) {
			gm->spec.type = i;
			return 0;
		}
	near = value ? did_you_mean(value, group_types) : NULL;
	return refuse(r, GROUP_TYPE, "type",
		      "type=%.32s; all, select, indirect and ff are accepted%s%s%s",
		      value ? value : "", near ? "; did you mean " : "", near ? near : "",
		      near ? "?" : "");
}

static int read_slots(struct group_mod *gm, const char *value, struct refusal *r)
{
	return number("slots", value, GROUP_SLOTS_MOST, &gm->spec.slots, r);
}

static const struct {
	const char *key;
	int (*read)(struct group_mod *gm, const char *value, struct refusal *r);
} group_words[] = {
	{"group_id", read_id},
	{"type", read_type},
	{"slots", read_slots}, /* the store's: the size that select's table had */
};

static int read_head(char *text, struct group_mod *gm, unsigned *seen, struct refusal *r)
{
	char *word;

	while ((word = next_word(&text))) {
		char *value = cut(word);
		unsigned i = 0;

		while (i < ARRAY_SIZE(group_words) && strcmp(word, group_words[i].key))
			i++;
		if (i == ARRAY_SIZE(group_words))
			return refuse(r, UNKNOWN_WORD, word,
				      "unknown word %.64s in a group; group_id, type and bucket "
				      "are known",
				      word);
		if (*seen & 1u << i)
			return refuse(r, SYNTAX, word, "%s is given twice", word);
		*seen |= 1u << i;
		if (group_words[i].read(gm, value, r))
			return -EINVAL;
	}
	return 0;
}

/* The next `bucket=` outside parentheses, cut off from what is before it; NULL: there is none. */
static char *cut_bucket(char *text)
{
	int depth = 0;

	for (char *p = text; *p; p++) {
		depth += (*p == '(') - (*p == ')');
		if (!depth && !strncmp(p, "bucket=", 7) && (p == text || is_blank(p[-1]))) {
			*p = '\0';
			return p + 7;
		}
	}
	return NULL;
}

static int read_buckets(char *bucket, struct group_spec *spec, struct refusal *r)
{
	unsigned room = 0;

	while (bucket) {
		char *next = cut_bucket(bucket);

		if (spec->n_buckets == GROUP_SELECT_BUCKETS)
			return refuse(r, OUT_OF_BUCKETS, "bucket",
				      "more than %u buckets, as many as a group may have",
				      GROUP_SELECT_BUCKETS);
		if (spec->n_buckets == room) {
			room = MAX(8u, 2 * room);
			spec->bucket = mem_grow(spec->bucket, room * sizeof *spec->bucket);
		}
		if (read_bucket(bucket, spec, &spec->bucket[spec->n_buckets++], r))
			return -EINVAL;
		bucket = next;
	}
	return 0;
}

static int read_group(char *text, struct group_mod *gm, struct refusal *r)
{
	enum { HAS_ID = 1, HAS_TYPE = 2 };
	char *bucket = cut_bucket(text);
	unsigned seen = 0;

	if (read_head(text, gm, &seen, r))
		return -EINVAL;
	if (gm->command == OFPGC_DELETE) {
		if (bucket || seen & ~HAS_ID)
			return refuse(r, SYNTAX, "group_id",
				      "what is to be deleted is said by its group_id alone");
		return 0;
	}
	if (!(seen & HAS_ID))
		return refuse(r, SYNTAX, "group_id", "a group needs group_id=N");
	if (!(seen & HAS_TYPE))
		return refuse(r, SYNTAX, "type",
			      "group %u needs type=…: all, select, indirect or ff", gm->spec.id);
	return read_buckets(bucket, &gm->spec, r);
}

int group_parse(const char *text, uint16_t command, struct group_mod *gm, struct refusal *r)
{
	char *copy = mem_text(text);
	int error;

	*gm = (struct group_mod){.command = command, .spec.id = OFPG_ALL};
	error = read_group(copy, gm, r);
	if (error)
		group_mod_free(gm);
	free(copy);
	return error;
}

void group_format(const struct group_spec *spec, struct buf *text)
{
	buf_printf(text, "group_id=%u,type=%s", spec->id, group_types[spec->type]);
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		const struct bucket_spec *b = &spec->bucket[i];

		buf_printf(text, ",bucket=");
		if (spec->type == OFPGT_SELECT && b->weight != 1)
			buf_printf(text, "weight:%u,", b->weight);
		if (b->watch_port != OFPP_ANY) {
			buf_printf(text, "watch_port:");
			port_format(b->watch_port, text);
			buf_printf(text, ",");
		}
		if (b->watch_group != OFPG_ANY)
			buf_printf(text, "watch_group:%u,", b->watch_group);
		buf_printf(text, "actions=");
		if (b->actions.size)
			actions_format(b->actions.data, b->actions.size, text);
		else
			buf_printf(text, "drop");
	}
}
