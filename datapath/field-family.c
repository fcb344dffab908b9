/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/field-family.h"

static const struct {
	const char *name;
	unsigned n;
	enum field_id form[FIELD_FORMS];
} families[] = {
	{"src", 2, {FIELD_IPV4_SRC, FIELD_IPV6_SRC}},
	{"dst", 2, {FIELD_IPV4_DST, FIELD_IPV6_DST}},
	{"sport", 3, {FIELD_TCP_SRC, FIELD_UDP_SRC, FIELD_SCTP_SRC}},
	{"dport", 3, {FIELD_TCP_DST, FIELD_UDP_DST, FIELD_SCTP_DST}},
};

unsigned field_forms(const char *name, const struct field *form[FIELD_FORMS])
{
	for (unsigned i = 0; i < ARRAY_SIZE(families); i++) {
		if (strcmp(name, families[i].name))
			continue;
		for (unsigned k = 0; k < families[i].n; k++)
			form[k] = &fields[families[i].form[k]];
		return families[i].n;
	}
	form[0] = field_by_name(name);
	return form[0] ? 1 : 0;
}

const char *field_near(const char *name)
{
	const char *names[ARRAY_SIZE(families) + N_FIELDS + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(families); i++)
		names[n++] = families[i].name;
	for (unsigned i = 0; i < N_FIELDS; i++)
		names[n++] = fields[i].name;
	names[n] = NULL;
	return did_you_mean(name, names);
}
