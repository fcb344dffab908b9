/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/keyed-by.h"

#include <errno.h>
#include <stdio.h>

#include "lib/options.h"

/* ---- Text -------------------------------------------------------------------------------- */

static int find_forms(struct keyed_field *f, struct refusal *r)
{
	const struct field *form[FIELD_FORMS];
	const char *near;

	f->n_forms = field_forms(f->name, form);
	for (unsigned i = 0; i < f->n_forms; i++)
		f->form[i].field = form[i];
	if (f->n_forms)
		return 0;
	near = field_near(f->name);
	return refuse(r, UNKNOWN_WORD, "by", "by=: there is no field %s%s%s%s", f->name,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static uint8_t *mask_of(struct keyed_form *form)
{
	return (uint8_t *)form->mask + form->field->off % 8;
}

static void mask_all(struct keyed_form *form)
{
	field_ones(form->field, mask_of(form));
}

/* The first `bits` of the field. */
static int mask_prefix(struct keyed_form *form, const char *text, size_t size, struct refusal *r)
{
	const struct field *f = form->field;
	uint64_t bits = 0;
	char word[8];

	snprintf(word, sizeof word, "%.*s", (int)MIN(size, sizeof word - 1), text);
	if (f->mask == MASK_NONE)
		return refuse(r, BAD_MASK, "by", "by=: %s cannot have a prefix length", f->name);
	if (size >= sizeof word || parse_u64(word, &bits) || !bits || bits > f->bits)
		return refuse(r, BAD_MASK, "by",
			      "by=: %s/%s is no prefix length; 1 to %u are accepted", f->name, word,
			      f->bits);
	field_prefix(f, (unsigned)bits, mask_of(form));
	form->bits = (uint8_t)(bits < f->bits ? bits : 0);
	return 0;
}

/* `/24` of one form, `/24/64` of two. */
static int read_lengths(struct keyed_field *f, const char *text, size_t size, struct refusal *r)
{
	const char *end = text + size;
	unsigned n = 0;

	for (const char *at = text; at < end; at++)
		n += *at == '/';
	if (n && n != f->n_forms)
		return refuse(r, BAD_MASK, "by", "by=: %s%.*s; %s would be accepted", f->name,
			      (int)MIN(size, 40u), text,
			      f->n_forms == 1   ? "one prefix length"
			      : f->n_forms == 2 ? "two, for IPv4 and for IPv6, as in /24/64,"
						: "no prefix length");
	for (unsigned i = 0; i < f->n_forms; i++) {
		const char *slash = n ? memchr(text + 1, '/', (size_t)(end - text - 1)) : NULL;
		const char *stop = slash ? slash : end;

		if (!n)
			mask_all(&f->form[i]);
		else if (mask_prefix(&f->form[i], text + 1, (size_t)(stop - text - 1), r))
			return -EINVAL;
		f->words = MAX(f->words, (f->form[i].field->size + 7u) / 8);
		text = stop;
	}
	return 0;
}

static int parse_field(struct keyed_field *f, const char *text, size_t size, struct refusal *r)
{
	size_t name = strcspn(text, "/,+");

	*f = (struct keyed_field){0};
	if (!name || name >= sizeof f->name)
		return refuse(r, SYNTAX, "by",
			      "by= wants names of fields with commas between, as in src/24/64 or "
			      "ipv4_dst,tcp_dst");
	memcpy(f->name, text, name);
	return find_forms(f, r) || read_lengths(f, text + name, size - name, r) ? -EINVAL : 0;
}

int keyed_by_parse(const char *text, struct keyed_by *by, struct refusal *r)
{
	*by = (struct keyed_by){.words = 1};
	for (;; text++) {
		size_t size = strcspn(text, ",+");

		if (by->n == KEYED_FIELDS)
			return refuse(r, LIMIT, "by", "by=: at most %d fields at once",
				      KEYED_FIELDS);
		if (parse_field(&by->field[by->n], text, size, r))
			return -EINVAL;
		by->words += by->field[by->n++].words;
		text += size;
		if (!*text)
			return 0;
	}
}

_Static_assert(1 + KEYED_FIELDS * 2 <= KEYED_WORDS, "any four fields are a key");

void keyed_by_format(const struct keyed_by *by, struct buf *text)
{
	for (unsigned i = 0; i < by->n; i++) {
		const struct keyed_field *f = &by->field[i];
		bool prefix = false;

		buf_printf(text, "%s%s", i ? "," : "", f->name);
		for (unsigned k = 0; k < f->n_forms; k++)
			prefix |= f->form[k].bits;
		for (unsigned k = 0; prefix && k < f->n_forms; k++)
			buf_printf(text, "/%u",
				   f->form[k].bits ? f->form[k].bits : f->form[k].field->bits);
	}
}

/* ---- Keys of packets --------------------------------------------------------------------- */

void keyed_key(const struct keyed_by *by, const struct key_view *view, uint64_t *key)
{
	const struct prereq_facts facts =
		prereq_facts_of((const void *)view->part[0], (const void *)view->part[1]);
	unsigned at = 1;

	memset(key, 0, by->words * sizeof *key);
	for (unsigned i = 0; i < by->n; i++) {
		const struct keyed_field *f = &by->field[i];

		for (unsigned k = 0; k < f->n_forms; k++) {
			const struct keyed_form *form = &f->form[k];
			unsigned word = form->field->off / 8u;

			if (!field_is_there(form->field, &facts))
				continue;
			key[0] |= (uint64_t)(k + 1) << 8 * i;
			for (unsigned w = 0; w < f->words; w++)
				key[at + w] = key_word(view, word + w) & form->mask[w];
			break;
		}
		at += f->words;
	}
}

static void format_value(const struct keyed_form *form, const uint64_t *words, struct buf *text)
{
	field_format(form->field, keyed_value(form, words),
		     form->bits ? keyed_value(form, form->mask) : NULL, text);
}

void keyed_key_format(const struct keyed_by *by, const uint64_t *key, struct buf *text)
{
	unsigned at = 1;

	for (unsigned i = 0; i < by->n; i++) {
		const struct keyed_field *f = &by->field[i];
		unsigned form = key[0] >> 8 * i & 0xff;

		buf_printf(text, "%s%s=", i ? "," : "", f->name);
		if (form && form <= f->n_forms)
			format_value(&f->form[form - 1], &key[at], text);
		else
			buf_printf(text, "-");
		at += f->words;
	}
}
