/* SPDX-License-Identifier: Apache-2.0 */
/* Members of sets as text, and whole files of them. */
#include <ctype.h>
#include <inttypes.h>

#include "ofproto/sets.h"
#include "ofproto/state.h"

#define TIMEOUT ",timeout="

static int parse_timeout(const char *text, size_t size, uint64_t *ms)
{
	char word[24];
	uint64_t ns;

	if (size >= sizeof word)
		return -EINVAL;
	memcpy(word, text, size);
	word[size] = '\0';
	if (parse_time(word, &ns) || ns > SET_TIMEOUT_MAX_MS * NSEC_PER_MSEC)
		return -EINVAL;
	*ms = (ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC; /* 0 is for ever */
	return 0;
}

int set_member_parse(const struct set *s, const char *text, size_t size, uint64_t now_ms,
		     struct set_member *m)
{
	const char *comma = memchr(text, ',', size);
	uint64_t ms = s->timeout_ms;
	size_t n = comma ? (size_t)(comma - text) : size, word = strlen(TIMEOUT);

	*m = (struct set_member){0};
	if (comma &&
	    (!(s->flags & SET_TIMEOUTS) || size - n < word || memcmp(comma, TIMEOUT, word) ||
	     parse_timeout(comma + word, size - n - word, &ms)))
		return -EINVAL;
	m->ends_ms = ms ? now_ms + ms : SET_FOREVER;
	return set_key_parse(s->type, text, n, &m->key);
}

/* The next line without its comment and blanks; NULL at the end. */
static const char *next_line(const char **rest, size_t *size)
{
	const char *begin = *rest, *end, *hash;

	if (!*begin)
		return NULL;
	end = strchrnul(begin, '\n');
	*rest = end + (*end == '\n');
	hash = memchr(begin, '#', (size_t)(end - begin));
	end = hash ? hash : end;
	while (begin < end && isspace((unsigned char)*begin))
		begin++;
	while (end > begin && isspace((unsigned char)end[-1]))
		end--;
	*size = (size_t)(end - begin);
	return begin;
}

static uint64_t count_lines(const char *content)
{
	uint64_t n = 1;

	while ((content = strchr(content, '\n'))) {
		content++;
		n++;
	}
	return n;
}

static int read_lines(const struct set *s, struct set_table **t, const char *content,
		      uint64_t now_ms, struct refusal *r)
{
	struct set_member m;
	const char *line;
	unsigned number = 0;
	size_t size = 0;

	while ((line = next_line(&content, &size))) {
		number++;
		if (!size)
			continue;
		if (set_member_parse(s, line, size, now_ms, &m))
			return refuse(
				r, BAD_VALUE, "member",
				"line %u: '%.*s' is no member of %s, whose type is %s%s", number,
				(int)MIN(size, 60u), line, s->name, set_type_names[s->type],
				s->flags & SET_TIMEOUTS ? " (with ,timeout=60 behind it or not)"
							: "");
		while (set_table_put(*t, &m) == -ENOSPC) {
			struct set_table *larger = set_table_copy(*t, true, now_ms);

			if (!larger)
				return refuse(r, SYSTEM, "", "no memory for a set of this size");
			set_table_free(*t);
			*t = larger;
		}
		if (set_table_n(*t) > s->max)
			return refuse(r, LIMIT, "max",
				      "line %u: set %s holds %" PRIu64
				      " members at the most; a larger max= would be accepted",
				      number, s->name, s->max);
	}
	return 0;
}

struct set_table *set_content_read(const struct set *s, const char *content, uint64_t now_ms,
				   struct refusal *r)
{
	uint64_t n = MIN(count_lines(content), s->max);
	struct set_table *t = set_table_create(s->type, s->flags, n), *fit;

	if (!t) {
		refuse(r, SYSTEM, "", "no memory for a set of this size");
		return NULL;
	}
	if (read_lines(s, &t, content, now_ms, r)) {
		set_table_free(t);
		return NULL;
	}
	if (set_table_is_loose(t) && (fit = set_table_copy(t, false, 0))) {
		set_table_free(t);
		t = fit;
	}
	return t;
}
