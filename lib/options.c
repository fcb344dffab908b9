/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MAX = sizeof((struct options *)0)->option[0].key - 1, SHOWN_MAX = 64 };

/* A value as a message may repeat it: one line, not too long. */
static const char *shown(const char *value, char buf[SHOWN_MAX])
{
	snprintf(buf, SHOWN_MAX, "%s", value);
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return buf;
}

static int find(const struct options *o, const char *key)
{
	for (unsigned i = 0; i < o->n; i++)
		if (!strcmp(o->option[i].key, key))
			return (int)i;
	return -1;
}

static int add_word(struct options *o, unsigned nth, const char *word, struct refusal *r)
{
	const char *equals = strchr(word, '=');
	size_t size = equals ? (size_t)(equals - word) : strlen(word);
	char key[KEY_MAX + 1], buf[SHOWN_MAX];

	/* What is too long for a name might be a key in the wrong place: it is not repeated. */
	if (!size || size > KEY_MAX)
		return refuse(r, SYNTAX, NULL,
			      "word %u does not begin with an option's name of 1 to %d characters; "
			      "options are written key=value",
			      nth, KEY_MAX);
	memcpy(key, word, size);
	key[size] = '\0';
	shown(key, buf);
	if (!equals)
		return refuse(r, SYNTAX, buf, "'%s' has no '='; options are written key=value",
			      buf);
	if (find(o, key) >= 0)
		return refuse(r, DUP_FIELD, buf, "option %s is given twice; once is accepted", buf);
	if (o->n == OPTIONS_MAX)
		return refuse(r, LIMIT, buf, "option %s is one too many; at most %d are accepted",
			      buf, OPTIONS_MAX);
	strcpy(o->option[o->n].key, key);
	o->option[o->n].used = false;
	o->option[o->n].value = strdup(equals + 1);
	if (!o->option[o->n].value)
		abort();
	o->n++;
	return 0;
}

int options_parse(struct options *o, unsigned n, const char *const *words, struct refusal *r)
{
	o->n = o->n_asked = 0;
	for (unsigned i = 0; i < n; i++) {
		int error = add_word(o, i + 1, words[i], r);

		if (error) {
			options_free(o);
			return error;
		}
	}
	return 0;
}

void options_free(struct options *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		char *value = (char *)o->option[i].value;

		explicit_bzero(value, strlen(value));
		free(value);
	}
	o->n = o->n_asked = 0;
}

/* The words, comma-separated, as far as the text has room. */
static const char *list_words(const char *const *words, char *buf, size_t room)
{
	size_t size = 0;

	*buf = '\0';
	for (; *words; words++) {
		int n = snprintf(buf + size, room - size, "%s%s", size ? ", " : "", *words);

		if ((size_t)n >= room - size) {
			snprintf(buf + room - 4, 4, "...");
			break;
		}
		size += (size_t)n;
	}
	return buf;
}

int options_finish(struct options *o, struct refusal *r)
{
	const char *asked[OPTIONS_MAX + 1] = {NULL}, *near;
	char key[SHOWN_MAX], list[200];

	memcpy(asked, o->asked, o->n_asked * sizeof asked[0]);
	for (unsigned i = 0; i < o->n; i++) {
		if (o->option[i].used)
			continue;
		shown(o->option[i].key, key);
		near = did_you_mean(key, asked);
		if (near)
			return refuse(r, UNKNOWN_WORD, key,
				      "option %s is not known here; did you mean %s?", key, near);
		if (!o->n_asked)
			return refuse(r, UNKNOWN_WORD, key,
				      "option %s is not known here; no option is accepted", key);
		return refuse(r, UNKNOWN_WORD, key, "option %s is not known here; accepted: %s",
			      key, list_words(asked, list, sizeof list));
	}
	return 0;
}

static void ask(struct options *o, const char *key)
{
	for (unsigned i = 0; i < o->n_asked; i++)
		if (!strcmp(o->asked[i], key))
			return;
	if (o->n_asked < OPTIONS_MAX)
		o->asked[o->n_asked++] = key;
}

const char *option(struct options *o, const char *key)
{
	int i = find(o, key);

	ask(o, key);
	if (i < 0)
		return NULL;
	o->option[i].used = true;
	return o->option[i].value;
}

int option_bool(struct options *o, const char *key, bool *out, struct refusal *r)
{
	const char *value = option(o, key);
	char buf[SHOWN_MAX];

	if (!value)
		return 0;
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return refuse(r, BAD_VALUE, key, "option %s: '%s' is neither yes nor no", key,
			      shown(value, buf));
	*out = value[0] == 'y';
	return 0;
}

/* Digits of `base` up to the first other character, where *text then stands. */
static int parse_digits(const char **text, unsigned base, uint64_t *out)
{
	const char *p = *text;
	uint64_t v = 0;
	bool over = false;
	int digit;

	for (; (digit = hex_digit(*p)) >= 0 && (unsigned)digit < base; p++) {
		over |= __builtin_mul_overflow(v, base, &v);
		over |= __builtin_add_overflow(v, (uint64_t)digit, &v);
	}
	if (p == *text)
		return -EINVAL;
	*text = p;
	*out = v;
	return over ? -ERANGE : 0;
}

int parse_u64(const char *text, uint64_t *out)
{
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	uint64_t v;
	int error;

	if (hex)
		text += 2;
	error = parse_digits(&text, hex ? 16 : 10, &v);
	if (*text)
		return -EINVAL;
	if (!error)
		*out = v;
	return error;
}

int option_u64(struct options *o, const char *key, struct range range, uint64_t *out,
	       struct refusal *r)
{
	const char *value = option(o, key);
	char buf[SHOWN_MAX];
	uint64_t v;

	if (!value)
		return 0;
	if (parse_u64(value, &v) || v < range.min || v > range.max)
		return refuse(r, BAD_VALUE, key,
			      "option %s: '%s' is not a number from %llu to %llu", key,
			      shown(value, buf), (unsigned long long)range.min,
			      (unsigned long long)range.max);
	*out = v;
	return 0;
}

int parse_time(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"", NSEC_PER_SEC},  {"us", NSEC_PER_USEC},    {"ms", NSEC_PER_MSEC},
		{"s", NSEC_PER_SEC}, {"m", 60 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC},
	};
	uint64_t v;

	if (parse_digits(&text, 10, &v))
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text, units[i].name))
			continue;
		if (__builtin_mul_overflow(v, units[i].ns, &v))
			return -EINVAL;
		*ns = v;
		return 0;
	}
	return -EINVAL;
}

static const struct {
	const char *name;
	uint64_t n;
	bool packets;
} rate_units[] = {
	{"gbps", 1000000000, false},
	{"mbps", 1000000, false},
	{"kbps", 1000, false},
	{"bps", 1, false},
	{"mpps", 1000000, true},
	{"kpps", 1000, true},
	{"pps", 1, true},
};

int parse_rate(const char *text, struct rate *out)
{
	uint64_t v;

	if (parse_digits(&text, 10, &v))
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_SIZE(rate_units); i++) {
		if (strcmp(text, rate_units[i].name))
			continue;
		if (__builtin_mul_overflow(v, rate_units[i].n, &v))
			return -EINVAL;
		*out = (struct rate){v, rate_units[i].packets};
		return 0;
	}
	return -EINVAL;
}

const char *rate_text(struct rate rate, char buf[RATE_TEXT])
{
	unsigned i = 0;

	while (rate_units[i].packets != rate.packets || rate.n % rate_units[i].n)
		i++;
	snprintf(buf, RATE_TEXT, "%llu%s", (unsigned long long)(rate.n / rate_units[i].n),
		 rate_units[i].name);
	return buf;
}

int option_time(struct options *o, const char *key, uint64_t *ns, struct refusal *r)
{
	const char *value = option(o, key);
	char buf[SHOWN_MAX];

	if (value && parse_time(value, ns))
		return refuse(
			r, BAD_VALUE, key,
			"option %s: '%s' is not a time; accepted: 500us, 20ms, 1s, 2m, 1h, or "
			"a bare number of seconds",
			key, shown(value, buf));
	return 0;
}

int option_ip(struct options *o, const char *key, struct ip *out, struct refusal *r)
{
	const char *value = option(o, key);
	char buf[SHOWN_MAX];

	if (value && !ip_parse(value, out))
		return refuse(r, BAD_VALUE, key, "option %s: '%s' is not an IPv4 or IPv6 address",
			      key, shown(value, buf));
	return 0;
}

int option_word(struct options *o, const char *key, const char *const *words, unsigned *out,
		struct refusal *r)
{
	const char *value = option(o, key), *near;
	char buf[SHOWN_MAX], list[160];

	if (!value)
		return 0;
	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(value, words[i])) {
			*out = i;
			return 0;
		}
	}
	near = did_you_mean(value, words);
	return refuse(r, BAD_VALUE, key, "option %s: '%s' is not one of: %s%s%s%s", key,
		      shown(value, buf), list_words(words, list, sizeof list),
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Why hexadecimal text cannot be taken: said without repeating a character of it. */
static const char hex_digits_only[] = "it is not hexadecimal digits (or @FILE that holds them)";

struct hex_decoder {
	struct octets *out;
	bool skip_space, half;
};

static const char *decode(struct hex_decoder *d, const char *text, size_t size)
{
	struct octets *out = d->out;

	for (; size; text++, size--) {
		int digit = hex_digit(*text);

		if (d->skip_space && *text && strchr(" \t\r\n\v\f", *text))
			continue;
		if (digit < 0)
			return hex_digits_only;
		if (d->half) {
			out->data[out->size++] |= (uint8_t)digit;
		} else {
			if (out->size == out->room)
				return "it is too long";
			out->data[out->size] = (uint8_t)(digit << 4);
		}
		d->half = !d->half;
	}
	return NULL;
}

/* By read(2), because the buffers of stdio cannot be wiped. */
static const char *decode_file(struct hex_decoder *d, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	struct stat st;
	char part[256];
	ssize_t n = 0;

	if (fd < 0)
		return strerrordesc_np(errno);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		why = "it is not a regular file";
	while (!why && (n = read(fd, part, sizeof part)) > 0)
		why = decode(d, part, (size_t)n);
	if (n < 0)
		why = strerrordesc_np(errno);
	close(fd);
	explicit_bzero(part, sizeof part);
	return why;
}

int option_hex(struct options *o, const char *key, struct octets *out, struct refusal *r)
{
	const char *value = option(o, key), *why;
	struct hex_decoder d = {.out = out};

	if (!value)
		return 0;
	out->size = 0;
	d.skip_space = value[0] == '@';
	why = d.skip_space ? decode_file(&d, value + 1) : decode(&d, value, strlen(value));
	if (!why && d.half)
		why = "its number of hexadecimal digits is odd";
	if (!why && !out->size)
		why = "it is empty";
	if (!why)
		return 0;
	explicit_bzero(out->data, out->room);
	out->size = 0;
	return refuse(r, BAD_VALUE, key,
		      "option %s: %s cannot be taken: %s; accepted: 1 to %zu octets in hexadecimal",
		      key, d.skip_space ? "its file" : "its value", why, out->room);
}
